//! Answers that may be given again. A cache is a convenience: it may forget anything at any time.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crewd_domain::shared::TenantId;

/// Bytes of one value at most; larger ones are not kept.
pub const LARGEST_CACHED_VALUE: usize = 1024 * 1024;

/// What a value is kept under. The tenant is part of it: no tenant ever reads what another one wrote.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// Whose.
    pub tenant: TenantId,
    /// What for, such as `llm`. Uses do not see each other's values.
    pub space: &'static str,
    /// Which value, such as a hash of the question: short, and without blanks.
    pub name: String,
}

/// Keeps values for a while. There are no errors: what cannot be read is missing, what cannot be written is not kept,
/// and a cache that does not answer soon counts as empty.
#[async_trait]
pub trait Cache: Send + Sync {
    /// The value, if it is there and its time is not over.
    async fn get(&self, key: &CacheKey) -> Option<Bytes>;

    /// Keeps a value for `ttl`, whatever was there before. Larger than [`LARGEST_CACHED_VALUE`]: nothing is kept, and
    /// what was there before goes.
    async fn set(&self, key: &CacheKey, value: Bytes, ttl: Duration);

    /// Forgets a value.
    async fn delete(&self, key: &CacheKey);
}
