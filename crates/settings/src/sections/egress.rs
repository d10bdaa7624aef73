//! Which addresses outside of the public web requests may go to.

use std::net::IpAddr;

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[Variable::new("egress.allow", "APP_EGRESS_ALLOW")];

const EXPECTED: &str = "a list of host names, *.domains, IP addresses and networks such as 10.0.0.0/8, each with :port where \
    only that port is meant, comma separated";

/// The `egress` section.
#[derive(Debug, Clone)]
pub struct EgressSettings {
    /// Destinations that requests to addresses of users may reach besides the public web.
    pub allow: Vec<EgressAllowance>,
}

/// One destination that the operator allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressAllowance {
    /// Which hosts.
    pub host: EgressHost,
    /// The one port; `None` for every port.
    pub port: Option<u16>,
}

/// Hosts of an allowance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgressHost {
    /// One name, in lower case and without a dot at its end.
    Name(String),
    /// `*.domain`: all names below the domain, which is kept without `*.`.
    Below(String),
    /// An IP address, or a network.
    Network {
        /// An address of it.
        address: IpAddr,
        /// How many bits are fixed; 32 or 128 for a single address.
        prefix: u8,
    },
}

impl EgressSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let entries = reader.list("egress.allow");
        let allow: Option<Vec<EgressAllowance>> = entries.iter().map(|entry| EgressAllowance::of_text(entry)).collect();
        if allow.is_none() {
            reader.reject_value("egress.allow", EXPECTED);
        }
        Self { allow: allow.unwrap_or_default() }
    }
}

impl EgressAllowance {
    fn of_text(text: &str) -> Option<Self> {
        // An IPv6 address without brackets has colons of its own, and so no port.
        if let Some(host) = network(text) {
            return Some(Self { host, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(port.parse().ok().filter(|port| *port != 0)?)),
            _ => (text, None),
        };
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host = match bracketed {
            Some(inner) => network(inner).filter(|_| inner.contains(':')),
            None => network(host).filter(|_| !host.contains(':')).or_else(|| name(host)),
        };
        Some(Self { host: host?, port })
    }
}

/// An IP address or a network.
fn network(text: &str) -> Option<EgressHost> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse().ok().filter(|prefix| *prefix <= longest))?;
    Some(EgressHost::Network { address, prefix })
}

/// A host's name, or `*.` and a domain.
fn name(text: &str) -> Option<EgressHost> {
    let lower = text.to_ascii_lowercase();
    let bare = lower.strip_suffix('.').unwrap_or(&lower);
    let (is_below, domain) = bare.strip_prefix("*.").map_or((false, bare), |domain| (true, domain));
    let letters = |label: &str| label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let is_name = domain.split('.').all(|label| !label.is_empty() && label.len() <= 63 && letters(label));
    // An address with a typing error is not a name.
    let is_number = domain.split('.').next_back().is_none_or(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_name || is_number {
        return None;
    }
    Some(if is_below { EgressHost::Below(domain.to_owned()) } else { EgressHost::Name(domain.to_owned()) })
}
