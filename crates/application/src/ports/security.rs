//! Who is calling, and how often.

use std::time::Duration;

use async_trait::async_trait;
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

/// What a caller has left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateState {
    /// The limit's name, such as `minute`.
    pub name: &'static str,
    /// How many are allowed.
    pub count: u32,
    /// In how long.
    pub period: Duration,
    /// How many are left at this moment.
    pub remaining: u32,
    /// When all of them are there again; for a refused caller, when the next one is.
    pub resets_after: Duration,
}

/// Whether a caller may go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateAnswer {
    /// The limits that were looked at, the shortest stretch first.
    pub states: Vec<RateState>,
    /// How long a refused caller has to wait; `None` for one that may go on.
    pub wait: Option<Duration>,
}

/// Counts how often callers do something.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts one more of this caller, unless it is too much. Callers are counted each by itself. Several limits are
    /// looked at from the shortest stretch on, up to the first that refuses. There is always an answer, and soon.
    async fn take(&self, tenant: &TenantId, caller: &str) -> RateAnswer;
}
