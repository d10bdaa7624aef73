//! How often a caller may do something, counted for all processes together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{RateAnswer, RateLimiter, RateState};
use crewd_domain::shared::TenantId;
use redis::Script;

use super::RedisLink;
use super::failure::Away;
use crate::security::Rate;

/// The generic cell rate algorithm, for several limits one after the other up to the first that refuses. A key holds the
/// instant at which the caller's allowance is whole again, in microseconds by the clock of Redis. Answers, for each
/// limit that was looked at, whether it refuses (1) and microseconds: until the allowance is whole, or how long to wait.
const TAKE: &str = r"
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local answer = {}
for i, key in ipairs(KEYS) do
  local count = tonumber(ARGV[2 * i - 1])
  local step = tonumber(ARGV[2 * i])
  local whole = math.max(tonumber(redis.call('GET', key) or '0'), now) + step
  local wait = whole - now - step * count
  if wait > 0 then
    answer[#answer + 1] = 1
    answer[#answer + 1] = math.ceil(wait)
    return answer
  end
  redis.call('SET', key, string.format('%.3f', whole), 'PX', math.ceil((whole - now) / 1000) + 1)
  answer[#answer + 1] = 0
  answer[#answer + 1] = math.floor(whole - now)
end
return answer
";

/// Counts in Redis. While Redis is away, the limiter of this process answers: it knows nothing of what was counted
/// before, so that callers may come as often again, once for each process.
pub struct RedisRateLimiter {
    link: RedisLink,
    rates: Vec<Rate>,
    local: Arc<dyn RateLimiter>,
    take: Script,
}

impl RedisRateLimiter {
    /// All rates hold at once; `local` has the same ones.
    #[must_use]
    pub fn new(link: RedisLink, rates: &[Rate], local: Arc<dyn RateLimiter>) -> Self {
        let mut rates = rates.to_vec();
        rates.sort_by_key(|rate| rate.period);
        Self { link, rates, local, take: Script::new(TAKE) }
    }

    async fn take_shared(&self, tenant: &TenantId, caller: &str) -> Result<RateAnswer, Away> {
        let mut script = self.take.prepare_invoke();
        for rate in &self.rates {
            script.key(self.link.key(&format!("rate:{tenant}:{}:{caller}", rate.name)));
            script.arg(rate.count.max(1)).arg(rate.one_comes_back().as_nanos() as f64 / 1_000.0);
        }
        let answers: Vec<u64> = self.link.script(&script).await?;
        let mut answer = RateAnswer::default();
        for (rate, pair) in self.rates.iter().zip(answers.chunks_exact(2)) {
            let [refuses, micros] = *pair else { continue };
            let resets_after = Duration::from_micros(micros);
            if refuses == 1 {
                answer.wait = Some(resets_after);
            }
            let remaining = if refuses == 1 { 0 } else { rate.left(resets_after) };
            answer.states.push(RateState { name: rate.name, count: rate.count, period: rate.period, remaining, resets_after });
        }
        Ok(answer)
    }
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    async fn take(&self, tenant: &TenantId, caller: &str) -> RateAnswer {
        match self.take_shared(tenant, caller).await {
            Ok(answer) => answer,
            Err(away) => {
                tracing::debug!(%away, "this process alone counts a submission");
                self.local.take(tenant, caller).await
            }
        }
    }
}
