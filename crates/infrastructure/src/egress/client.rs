//! All of it together: the port `Outbound`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand;
use crewd_application::ports::{Outbound, OutboundError, OutboundRequest, OutboundResponse};
use tokio::time::{sleep, timeout};

use super::connection::{addresses, connect};
use super::exchange::{exchange, message};
use super::policy::EgressPolicy;
use super::resolver::{NameResolver, SystemResolver};
use super::trust::Trust;

/// Sends requests to addresses that users name. Each request has its own connection: what a name means is judged
/// every time, and nothing is shared between tenants.
pub struct GuardedClient {
    policy: EgressPolicy,
    resolver: Arc<dyn NameResolver>,
    trust: Trust,
}

impl GuardedClient {
    /// A client with these rules that asks the system for addresses.
    #[must_use]
    pub fn new(policy: EgressPolicy) -> Self {
        Self::with_resolver(policy, Arc::new(SystemResolver::default()))
    }

    /// A client with these rules that asks somebody else.
    #[must_use]
    pub fn with_resolver(policy: EgressPolicy, resolver: Arc<dyn NameResolver>) -> Self {
        Self { policy, resolver, trust: Trust::default() }
    }

    /// A client that trusts others than the system does.
    #[cfg(test)]
    pub(super) fn trusting(self, config: rustls::ClientConfig) -> Self {
        Self { trust: Trust::of(config), ..self }
    }

    async fn exchange(&self, request: &OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let destination = self.policy.destination(&request.url).map_err(|_| OutboundError::Denied)?;
        let message = message(request, &destination.url)?;
        let addresses = addresses(&self.policy, &*self.resolver, &destination).await?;
        let stream = connect(&destination, &addresses, &self.trust).await?;
        exchange(stream, message, request.max_response_bytes.min(OutboundRequest::MAX_RESPONSE_BYTES)).await
    }
}

#[async_trait]
impl Outbound for GuardedClient {
    fn check_url(&self, url: &str) -> Result<(), OutboundError> {
        self.policy.check_url(url).map(drop).map_err(|_| OutboundError::Denied)
    }

    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        let whole = timeout(request.time_limit, Box::pin(self.exchange(&request))).await;
        let answer = whole.unwrap_or(Err(OutboundError::Timeout));
        if answer == Err(OutboundError::Denied) {
            sleep(jitter()).await;
        }
        answer
    }
}

/// Up to 32 ms, so that the time of a refusal does not tell which rule it came from.
fn jitter() -> Duration {
    let mut byte = [0_u8];
    // Without it, refusals are as fast as they are.
    let _ = rand::fill(&mut byte);
    Duration::from_micros(u64::from(byte[0]) * 125)
}
