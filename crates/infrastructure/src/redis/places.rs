//! Places that all processes share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{PlacesUnavailable, SharedPlace, SharedPlaces};
use redis::Script;

use super::RedisLink;

/// Forgets holders whose time is over, then takes a place or renews one. ARGV: holder, time in milliseconds, places.
const ACQUIRE: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[2]) * 2)
  return 1
end
return 0
";

/// Counts places in a sorted set of Redis, by the clock of Redis.
#[derive(Clone)]
pub struct RedisPlaces {
    link: RedisLink,
    acquire: Script,
    /// Tells the holders of this process apart.
    holders: Arc<AtomicU64>,
}

impl RedisPlaces {
    /// Counts over this link.
    #[must_use]
    pub fn new(link: RedisLink) -> Self {
        Self { link, acquire: Script::new(ACQUIRE), holders: Arc::default() }
    }

    async fn take(&self, key: &str, holder: &str, places: u32, ttl: Duration) -> Result<bool, PlacesUnavailable> {
        let mut script = self.acquire.prepare_invoke();
        script.key(key).arg(holder).arg(ttl.as_millis()).arg(places);
        let taken: u8 = self.link.script(&script).await.map_err(|_| PlacesUnavailable)?;
        Ok(taken == 1)
    }

    /// Renews for ever. A holder that was forgotten, by an emptied Redis for example, comes back however many there
    /// are: it is at work anyway.
    async fn renew(self, key: String, holder: String, ttl: Duration) {
        loop {
            tokio::time::sleep(ttl / 3).await;
            let _ = self.take(&key, &holder, u32::MAX, ttl).await;
        }
    }

    async fn free(self, key: String, holder: String) {
        let mut command = redis::cmd("ZREM");
        command.arg(key).arg(holder);
        // Otherwise its time ends by itself.
        let _ = self.link.query::<u64>(&command).await;
    }
}

#[async_trait]
impl SharedPlaces for RedisPlaces {
    async fn acquire(&self, name: &str, places: u32, ttl: Duration) -> Result<Option<SharedPlace>, PlacesUnavailable> {
        let key = self.link.key(&format!("places:{name}"));
        let holder = format!("{}:{}", self.link.origin(), self.holders.fetch_add(1, Ordering::Relaxed));
        if !self.take(&key, &holder, places, ttl).await? {
            return Ok(None);
        }
        let renewal = tokio::spawn(self.clone().renew(key.clone(), holder.clone(), ttl));
        let (this, runtime) = (self.clone(), tokio::runtime::Handle::current());
        Ok(Some(SharedPlace::new(move || {
            renewal.abort();
            runtime.spawn(this.free(key, holder));
        })))
    }
}
