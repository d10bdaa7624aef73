//! Who is calling.

use crewd_domain::shared::TenantId;

/// A caller whose key is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose rows it may see.
    pub tenant: TenantId,
    /// A public name for logs and decisions: never the key.
    pub name: String,
}

/// Checks API keys.
pub trait Authenticator: Send + Sync {
    /// Whether callers need a key at all. Without any key configured, an installation on a loopback address does not.
    fn is_required(&self) -> bool;

    /// The caller with this key. The time it takes tells nothing about the keys.
    fn authenticate(&self, key: &str) -> Option<Caller>;
}
