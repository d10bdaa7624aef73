//! A cache in a map, and what every cache must keep to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crewd_domain::shared::TenantId;
use tokio::time::Instant;

use crate::ports::{Cache, CacheKey, LARGEST_CACHED_VALUE};

/// Keeps everything until its time is over.
#[derive(Debug, Default)]
pub struct InMemoryCache {
    values: Mutex<HashMap<CacheKey, (Bytes, Instant)>>,
}

#[async_trait]
impl Cache for InMemoryCache {
    async fn get(&self, key: &CacheKey) -> Option<Bytes> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).filter(|(_, until)| Instant::now() < *until).map(|(value, _)| value.clone())
    }

    async fn set(&self, key: &CacheKey, value: Bytes, ttl: Duration) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if value.len() > LARGEST_CACHED_VALUE {
            values.remove(key);
        } else {
            values.insert(key.clone(), (value, Instant::now() + ttl));
        }
    }

    async fn delete(&self, key: &CacheKey) {
        self.values.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A key of a tenant.
#[must_use]
pub fn cache_key(tenant: &TenantId, space: &'static str, name: &str) -> CacheKey {
    CacheKey { tenant: tenant.clone(), space, name: name.to_owned() }
}

const LONG: Duration = Duration::from_secs(60);
/// Long enough to be seen before it is over, short enough to wait for.
const SHORT: Duration = Duration::from_millis(300);

/// Checks the promises of [`Cache`] with one that is empty and works. `one` and `other` are different tenants.
///
/// # Panics
/// Where one is broken.
pub async fn check_cache(cache: &dyn Cache, one: &TenantId, other: &TenantId) {
    let key = cache_key(one, "suite", "question");
    assert_eq!(cache.get(&key).await, None, "nothing is there before it is put");
    cache.delete(&key).await;
    let bytes: Bytes = (0..=255).collect::<Vec<u8>>().into();
    cache.set(&key, bytes.clone(), LONG).await;
    assert_eq!(cache.get(&key).await, Some(bytes.clone()), "every byte comes back");
    for strange in [cache_key(other, "suite", "question"), cache_key(one, "other", "question"), cache_key(one, "suite", "quest")]
    {
        assert_eq!(cache.get(&strange).await, None, "{strange:?} is another value");
        cache.delete(&strange).await;
    }
    cache.set(&key, Bytes::new(), LONG).await;
    assert_eq!(cache.get(&key).await, Some(Bytes::new()), "the last one counts, also an empty one");
    cache.delete(&key).await;
    assert_eq!(cache.get(&key).await, None);
    values_end(cache, &cache_key(one, "suite", "short")).await;
    sizes_are_bounded(cache, &cache_key(one, "suite", "large")).await;
}

async fn values_end(cache: &dyn Cache, key: &CacheKey) {
    cache.set(key, Bytes::from_static(b"short"), SHORT).await;
    let patience = Instant::now() + LONG;
    while cache.get(key).await.is_some() {
        assert!(Instant::now() < patience, "its time is over and it is still there");
        tokio::time::sleep(SHORT / 10).await;
    }
    cache.set(key, Bytes::from_static(b"long"), LONG).await;
    tokio::time::sleep(SHORT).await;
    assert_eq!(cache.get(key).await, Some(Bytes::from_static(b"long")), "the new one has its own time");
}

async fn sizes_are_bounded(cache: &dyn Cache, key: &CacheKey) {
    let largest = Bytes::from(vec![7; LARGEST_CACHED_VALUE]);
    cache.set(key, largest.clone(), LONG).await;
    assert_eq!(cache.get(key).await, Some(largest));
    cache.set(key, Bytes::from(vec![7; LARGEST_CACHED_VALUE + 1]), LONG).await;
    assert_eq!(cache.get(key).await, None, "neither the large one nor what it was to replace");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_fake_keeps_the_promises_of_the_port() {
        let [one, other] = ["one", "other"].map(|name| TenantId::try_from(name.to_owned()).unwrap());
        check_cache(&InMemoryCache::default(), &one, &other).await;
    }
}
