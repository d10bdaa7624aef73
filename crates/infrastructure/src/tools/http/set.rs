//! All declared tools.

use std::collections::BTreeMap;
use std::sync::Arc;

use crewd_application::ports::{Outbound, Tool, ToolSet};
use crewd_domain::tools::{AddressTemplate, HttpToolDefinition, ToolDescriptor};
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::{Host, Url};

use super::tool::HttpTool;
use crate::egress::{AllowedDestination, AllowedHost, EgressPolicy, GuardedClient};

/// The tools of an installation that are calls over HTTP.
pub struct HttpTools {
    tools: BTreeMap<String, Arc<dyn Tool>>,
}

/// Why declared tools cannot be used: all of it, one line each.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .problems.join("\n"))]
pub struct HttpToolsError {
    /// What is wrong. No line holds a secret.
    pub problems: Vec<String>,
}

impl HttpTools {
    /// Tools that call exactly the hosts and ports of their declarations, wherever these are. `secrets` are the settings
    /// that headers may name.
    ///
    /// # Errors
    /// A setting is missing or cannot be sent in a header, or an address is none.
    pub fn new(definitions: Vec<HttpToolDefinition>, secrets: &BTreeMap<String, SecretString>) -> Result<Self, HttpToolsError> {
        let mut problems = Vec::new();
        let mut allowed = Vec::new();
        for tool in &definitions {
            for address in std::iter::once(&tool.http.url).chain(&tool.http.reconcile_url) {
                match destination(address) {
                    Some(destination) if allowed.contains(&destination) => {}
                    Some(destination) => allowed.push(destination),
                    None => problems.push(format!("the tool {}: {} is no address", tool.name, address.origin())),
                }
            }
        }
        let outbound = Arc::new(GuardedClient::new(EgressPolicy::new(allowed)));
        match Self::over(definitions, secrets, outbound) {
            Ok(tools) if problems.is_empty() => Ok(tools),
            Ok(_) => Err(HttpToolsError { problems }),
            Err(more) => Err(HttpToolsError { problems: problems.into_iter().chain(more.problems).collect() }),
        }
    }

    /// Tools that call over another way out.
    pub(super) fn over(
        definitions: Vec<HttpToolDefinition>,
        secrets: &BTreeMap<String, SecretString>,
        outbound: Arc<dyn Outbound>,
    ) -> Result<Self, HttpToolsError> {
        let mut problems = Vec::new();
        let mut tools: BTreeMap<String, Arc<dyn Tool>> = BTreeMap::new();
        for definition in definitions {
            let name = definition.name.clone();
            let values = secret_values(&definition, secrets, &mut problems);
            tools.insert(name, Arc::new(HttpTool::new(definition, values, outbound.clone())));
        }
        if problems.is_empty() { Ok(Self { tools }) } else { Err(HttpToolsError { problems }) }
    }
}

impl ToolSet for HttpTools {
    fn get(&self, name: &str) -> Option<Arc<dyn Tool>> {
        self.tools.get(name).cloned()
    }

    fn descriptors(&self) -> Vec<ToolDescriptor> {
        self.tools.values().map(|tool| tool.descriptor().clone()).collect()
    }
}

fn secret_values(
    definition: &HttpToolDefinition,
    secrets: &BTreeMap<String, SecretString>,
    problems: &mut Vec<String>,
) -> Vec<(String, SecretString)> {
    let mut values = Vec::new();
    for (header, setting) in &definition.http.secret_headers {
        match secrets.get(setting) {
            None => problems.push(format!("the tool {}: the setting {setting} has no value", definition.name)),
            Some(secret) if HeaderValue::from_str(secret.expose_secret()).is_err() => {
                problems.push(format!("the tool {}: the value of {setting} cannot be sent in a header", definition.name));
            }
            Some(secret) => values.push((header.clone(), secret.clone())),
        }
    }
    values
}

/// The host and port of an address, as the guard knows them.
fn destination(address: &AddressTemplate) -> Option<AllowedDestination> {
    let url = Url::parse(address.origin()).ok()?;
    let host = match url.host()? {
        Host::Domain(name) => AllowedHost::Name(name.strip_suffix('.').unwrap_or(name).to_owned()),
        Host::Ipv4(address) => AllowedHost::Network { address: address.into(), prefix: 32 },
        Host::Ipv6(address) => AllowedHost::Network { address: address.into(), prefix: 128 },
    };
    Some(AllowedDestination { host, port: url.port_or_known_default() })
}
