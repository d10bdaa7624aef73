//! Which addresses are allowed.

use std::net::IpAddr;

use thiserror::Error;
use url::{Host, Url};

use super::allowed::AllowedDestination;
use super::ranges::is_public;

/// The ports of the web.
const PORTS: [u16; 2] = [80, 443];
/// Longer addresses are not in use.
const MAX_URL_BYTES: usize = 2_048;
/// Names that stand for something inside of a network, never for a host on the internet.
const INNER_DOMAINS: [&str; 5] = [".localhost", ".local", ".internal", ".localdomain", ".home.arpa"];

/// The address is none, or not allowed. Which rule says so stands in the log alone, at level debug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("egress_denied")]
pub struct EgressDenied;

/// The rules for addresses that users name: HTTPS to a public host on a port of the web, or what the operator exempts.
#[derive(Clone, Debug, Default)]
pub struct EgressPolicy {
    allowed: Vec<AllowedDestination>,
    /// A port of a test's own server, allowed over plain HTTP, so that the rules for hosts are tried alone.
    #[cfg(test)]
    pub(super) open_port: Option<u16>,
}

/// An address that was judged, as far as that is possible without a look-up.
#[derive(Clone, Debug)]
pub(super) struct Destination {
    pub(super) url: Url,
    pub(super) target: Target,
    pub(super) port: u16,
    /// Whether the operator lists its name.
    is_listed: bool,
}

/// The host of an address.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Name(String),
    Address(IpAddr),
}

impl Destination {
    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }
}

impl EgressPolicy {
    /// The rules, with the operator's exemptions.
    #[must_use]
    pub fn new(allowed: Vec<AllowedDestination>) -> Self {
        Self {
            allowed,
            #[cfg(test)]
            open_port: None,
        }
    }

    /// Judges an address without a look-up: its form, scheme, port, user information, and an IP address as its host.
    ///
    /// # Errors
    /// It is not allowed.
    pub fn check_url(&self, url: &str) -> Result<Url, EgressDenied> {
        self.destination(url).map(|destination| destination.url)
    }

    pub(super) fn destination(&self, text: &str) -> Result<Destination, EgressDenied> {
        self.judge(text).map_err(|rule| {
            tracing::debug!(rule, "an outbound address was denied");
            EgressDenied
        })
    }

    /// Whether a connection for this destination may go to this IP address.
    pub(super) fn permits(&self, destination: &Destination, address: IpAddr) -> bool {
        let is_permitted = destination.is_listed || is_public(address) || self.lists_address(address, destination.port);
        if !is_permitted {
            tracing::debug!(rule = "the IP address is not public", %address, "an outbound address was denied");
        }
        is_permitted
    }

    /// Says which rule denies an address.
    fn judge(&self, text: &str) -> Result<Destination, &'static str> {
        if text.len() > MAX_URL_BYTES {
            return Err("it is too long");
        }
        // Parsers disagree on these, and the one that is used here would repair them.
        if text.contains(|character: char| character.is_control() || character.is_whitespace() || character == '\\') {
            return Err("it has blanks, control characters or backslashes");
        }
        let url = Url::parse(text).map_err(|_| "it is no address")?;
        if !matches!(url.scheme(), "http" | "https") || !has_plain_authority(text) {
            return Err("its scheme or form is not that of the web");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it has user information");
        }
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("its port is none")?;
        let (target, is_listed, is_exempt) = match url.host() {
            Some(Host::Domain(name)) => {
                let bare = name.strip_suffix('.').unwrap_or(name);
                let is_listed = self.allowed.iter().any(|allowed| allowed.lists_name(bare, port));
                if !is_listed && !may_be_public(bare) {
                    return Err("its name is one of inner networks");
                }
                (Target::Name(name.to_owned()), is_listed, is_listed)
            }
            Some(Host::Ipv4(address)) => self.literal(address.into(), port)?,
            Some(Host::Ipv6(address)) => self.literal(address.into(), port)?,
            None => return Err("it has no host"),
        };
        if !is_exempt && !self.is_web(&url, port) {
            return Err("its scheme or port is not allowed");
        }
        Ok(Destination { url, target, port, is_listed })
    }

    fn literal(&self, address: IpAddr, port: u16) -> Result<(Target, bool, bool), &'static str> {
        let is_exempt = self.lists_address(address, port);
        if is_exempt || is_public(address) {
            Ok((Target::Address(address), false, is_exempt))
        } else {
            Err("its IP address is not public")
        }
    }

    fn lists_address(&self, address: IpAddr, port: u16) -> bool {
        self.allowed.iter().any(|allowed| allowed.lists_address(address, port))
    }

    fn is_web(&self, url: &Url, port: u16) -> bool {
        #[cfg(test)]
        if self.open_port == Some(port) {
            return true;
        }
        url.scheme() == "https" && PORTS.contains(&port)
    }
}

/// Whether two slashes and a host without an `@` follow the scheme, as written: the parser adds missing slashes.
fn has_plain_authority(text: &str) -> bool {
    let Some((_, rest)) = text.split_once(':') else { return false };
    let Some(rest) = rest.strip_prefix("//") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !authority.is_empty() && !authority.contains('@')
}

/// Whether a name can stand for a host on the internet.
fn may_be_public(name: &str) -> bool {
    name.contains('.')
        && name.split('.').all(|label| !label.is_empty())
        && !INNER_DOMAINS.iter().any(|domain| name.ends_with(domain))
}
