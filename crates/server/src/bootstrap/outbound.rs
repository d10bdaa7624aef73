//! The way to addresses that users name.

use std::sync::Arc;

use crewd_application::ports::Outbound;
use crewd_infrastructure::egress::{AllowedDestination, AllowedHost, EgressPolicy, GuardedClient};
use crewd_settings::{EgressAllowance, EgressHost, Settings};

/// The guard, with what the operator allows. Nothing is built or connected yet.
pub(crate) fn outbound(settings: &Settings) -> Arc<dyn Outbound> {
    let allowed = settings.egress.allow.iter().map(destination).collect();
    Arc::new(GuardedClient::new(EgressPolicy::new(allowed)))
}

fn destination(allowance: &EgressAllowance) -> AllowedDestination {
    let host = match &allowance.host {
        EgressHost::Name(name) => AllowedHost::Name(name.clone()),
        EgressHost::Below(domain) => AllowedHost::Below(domain.clone()),
        EgressHost::Network { address, prefix } => AllowedHost::Network { address: *address, prefix: *prefix },
    };
    AllowedDestination { host, port: allowance.port }
}
