//! Values that are kept for a while, for all processes.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crewd_application::ports::{Cache, CacheKey, LARGEST_CACHED_VALUE};

use super::RedisLink;

/// Keeps values in Redis. While Redis is away, nothing is there and nothing is kept.
#[derive(Clone)]
pub struct RedisCache {
    link: RedisLink,
}

impl RedisCache {
    /// Keeps values over this link.
    #[must_use]
    pub const fn new(link: RedisLink) -> Self {
        Self { link }
    }

    fn key(&self, key: &CacheKey) -> String {
        self.link.key(&format!("cache:{}:{}:{}", key.space, key.tenant, key.name))
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &CacheKey) -> Option<Bytes> {
        let mut command = redis::cmd("GET");
        command.arg(self.key(key));
        let value: Option<Vec<u8>> = self.link.query(&command).await.ok()?;
        value.map(Bytes::from)
    }

    async fn set(&self, key: &CacheKey, value: Bytes, ttl: Duration) {
        if value.len() > LARGEST_CACHED_VALUE {
            return self.delete(key).await;
        }
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(value.as_ref()).arg("PX").arg(ttl.as_millis().max(1));
        if let Err(away) = self.link.query::<()>(&command).await {
            tracing::debug!(%away, "a value was not kept");
        }
    }

    async fn delete(&self, key: &CacheKey) {
        let mut command = redis::cmd("DEL");
        command.arg(self.key(key));
        if let Err(away) = self.link.query::<u64>(&command).await {
            tracing::debug!(%away, "a value was not forgotten");
        }
    }
}
