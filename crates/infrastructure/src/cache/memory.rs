//! A cache in the memory of this process.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use crewd_application::ports::{Cache, CacheKey, LARGEST_CACHED_VALUE};
use moka::Expiry;
use moka::sync::Cache as Moka;

/// What an entry costs besides its value.
const OVERHEAD: usize = 256;

/// Keeps values up to a number of bytes; those that are asked for rarely go first.
#[derive(Clone)]
pub struct MemoryCache {
    values: Moka<CacheKey, Kept>,
}

#[derive(Clone)]
struct Kept {
    value: Bytes,
    ttl: Duration,
}

/// Each value has a time of its own, from when it was put.
struct OwnTime;

impl Expiry<CacheKey, Kept> for OwnTime {
    fn expire_after_create(&self, _: &CacheKey, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }

    fn expire_after_update(&self, _: &CacheKey, kept: &Kept, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.ttl)
    }
}

impl MemoryCache {
    /// Keeps about so many bytes at most.
    #[must_use]
    pub fn new(most_bytes: u64) -> Self {
        let weight =
            |key: &CacheKey, kept: &Kept| u32::try_from(key.name.len() + kept.value.len() + OVERHEAD).unwrap_or(u32::MAX);
        Self { values: Moka::builder().max_capacity(most_bytes).weigher(weight).expire_after(OwnTime).build() }
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &CacheKey) -> Option<Bytes> {
        self.values.get(key).map(|kept| kept.value)
    }

    async fn set(&self, key: &CacheKey, value: Bytes, ttl: Duration) {
        if value.len() > LARGEST_CACHED_VALUE {
            self.values.invalidate(key);
        } else {
            self.values.insert(key.clone(), Kept { value, ttl });
        }
    }

    async fn delete(&self, key: &CacheKey) {
        self.values.invalidate(key);
    }
}

#[cfg(test)]
mod tests {
    use crewd_application::testing::cache::{cache_key, check_cache};
    use crewd_domain::shared::TenantId;

    use super::*;

    #[tokio::test]
    async fn the_cache_keeps_the_promises_of_the_port() {
        let [one, other] = ["one", "other"].map(|name| TenantId::try_from(name.to_owned()).unwrap());
        check_cache(&MemoryCache::new(16 * 1024 * 1024), &one, &other).await;
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let cache = MemoryCache::new(100_000);
        let tenant = TenantId::default_tenant();
        for number in 0..1_000 {
            let key = cache_key(&tenant, "suite", &number.to_string());
            cache.set(&key, Bytes::from(vec![0; 10_000]), Duration::from_secs(60)).await;
        }
        cache.values.run_pending_tasks();
        assert!(cache.values.weighted_size() <= 100_000, "{}", cache.values.weighted_size());
    }
}
