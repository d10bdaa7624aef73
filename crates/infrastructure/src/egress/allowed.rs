//! Destinations that the operator exempts from the rules.

use std::net::IpAddr;

use super::ranges::is_in;

/// A destination that the operator allows. It may be in a private network, use plain HTTP, and any port unless one is
/// named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedDestination {
    /// Which hosts.
    pub host: AllowedHost,
    /// The one port; `None` for every port.
    pub port: Option<u16>,
}

/// Hosts that an exemption is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// One name, in lower case and without a dot at its end. Whatever it resolves to is allowed.
    Name(String),
    /// All names below this one, which itself is not among them. Whatever they resolve to is allowed.
    Below(String),
    /// The addresses of a network, written in the address or found by a look-up.
    Network {
        /// An address of it; the bits behind the prefix do not count.
        address: IpAddr,
        /// How many bits are fixed; 32 or 128 for a single address.
        prefix: u8,
    },
}

impl AllowedDestination {
    /// Whether a name (in lower case, without a dot at its end) is exempt at this port.
    pub(super) fn lists_name(&self, name: &str, port: u16) -> bool {
        let is_listed = match &self.host {
            AllowedHost::Name(listed) => listed == name,
            AllowedHost::Below(parent) => {
                name.strip_suffix(parent.as_str()).and_then(|rest| rest.strip_suffix('.')).is_some_and(|rest| !rest.is_empty())
            }
            AllowedHost::Network { .. } => false,
        };
        is_listed && self.has_port(port)
    }

    /// Whether an IP address is exempt at this port.
    pub(super) fn lists_address(&self, address: IpAddr, port: u16) -> bool {
        let AllowedHost::Network { address: network, prefix } = &self.host else { return false };
        is_in(address, *network, *prefix) && self.has_port(port)
    }

    fn has_port(&self, port: u16) -> bool {
        self.port.is_none_or(|listed| listed == port)
    }
}
