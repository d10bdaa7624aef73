//! How often a caller may do something, counted in this process.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{RateAnswer, RateLimiter, RateState};
use crewd_domain::shared::TenantId;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter as Governor};

/// So many in a stretch of time. They may come all at once; then they come back one by one, spread over the stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The limit's name in answers, such as `minute`.
    pub name: &'static str,
    /// How many; 0 counts as 1.
    pub count: u32,
    /// In how long; an instant counts as a nanosecond.
    pub period: Duration,
}

type Caller = (TenantId, String);
type Bucket<C> = Governor<Caller, HashMapStateStore<Caller>, C, StateInformationMiddleware>;

/// Counts each caller by itself. The callers are those of the settings, so that what is kept has an end.
pub struct LocalRateLimiter<C: Clock = DefaultClock> {
    clock: C,
    limits: Vec<(Rate, Bucket<C>)>,
}

impl LocalRateLimiter {
    /// All rates hold at once.
    #[must_use]
    pub fn new(rates: &[Rate]) -> Self {
        Self::with_clock(rates, DefaultClock::default())
    }
}

impl<C: Clock + Clone> LocalRateLimiter<C> {
    fn with_clock(rates: &[Rate], clock: C) -> Self {
        let mut rates = rates.to_vec();
        rates.sort_by_key(|rate| rate.period);
        let bucket = |rate: &Rate| {
            let quota = Quota::with_period(rate.one_comes_back()).unwrap_or(Quota::per_second(NonZeroU32::MIN));
            let quota = quota.allow_burst(NonZeroU32::new(rate.count).unwrap_or(NonZeroU32::MIN));
            Bucket::new(quota, HashMapStateStore::default(), clock.clone())
        };
        let limits = rates.iter().map(|rate| (*rate, bucket(rate))).collect();
        Self { limits, clock }
    }
}

impl Rate {
    pub(crate) fn one_comes_back(&self) -> Duration {
        (self.period / self.count.max(1)).max(Duration::from_nanos(1))
    }

    /// How many are left of an allowance that is whole again after this time.
    pub(crate) fn left(&self, whole_after: Duration) -> u32 {
        let missing = whole_after.as_nanos().div_ceil(self.one_comes_back().as_nanos());
        self.count.saturating_sub(u32::try_from(missing).unwrap_or(u32::MAX))
    }
}

#[async_trait]
impl<C: Clock + Send + Sync> RateLimiter for LocalRateLimiter<C>
where
    C::Instant: Send + Sync,
{
    async fn take(&self, tenant: &TenantId, caller: &str) -> RateAnswer {
        let key = (tenant.clone(), caller.to_owned());
        let mut answer = RateAnswer::default();
        for (rate, bucket) in &self.limits {
            let (remaining, resets_after) = match bucket.check_key(&key) {
                Ok(left) => {
                    let remaining = left.remaining_burst_capacity();
                    (remaining, rate.one_comes_back().saturating_mul(rate.count.saturating_sub(remaining)))
                }
                Err(refused) => {
                    let wait = refused.wait_time_from(self.clock.now());
                    answer.wait = Some(wait);
                    (0, wait)
                }
            };
            answer.states.push(RateState { name: rate.name, count: rate.count, period: rate.period, remaining, resets_after });
            if answer.wait.is_some() {
                break;
            }
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use crewd_application::testing::limiter::check_rate_limiter;
    use governor::clock::FakeRelativeClock;

    use super::*;

    const MINUTE: Rate = Rate { name: "minute", count: 3, period: Duration::from_secs(60) };
    const HOUR: Rate = Rate { name: "hour", count: 4, period: Duration::from_secs(3_600) };

    fn tenant(name: &str) -> TenantId {
        TenantId::try_from(name.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn who_comes_too_often_is_told_when_to_come_back() {
        let clock = FakeRelativeClock::default();
        let limiter = LocalRateLimiter::with_clock(&[HOUR, MINUTE], clock.clone());
        let take = async || limiter.take(&tenant("a"), "key-1").await;
        for left in [2, 1, 0] {
            let answer = take().await;
            assert_eq!((answer.wait, answer.states[0].remaining, answer.states[0].name), (None, left, "minute"));
            assert_eq!(answer.states[1].remaining, left + 1);
        }
        let refused = take().await;
        assert_eq!((refused.wait, refused.states.len()), (Some(Duration::from_secs(20)), 1));
        clock.advance(Duration::from_secs(20));
        assert_eq!(take().await.wait, None, "one has come back");
        clock.advance(Duration::from_secs(20));
        let refused = take().await;
        assert_eq!(refused.states[1].name, "hour", "the longer stretch is used up");
        assert_eq!(refused.wait, Some(Duration::from_secs(860)));
    }

    #[tokio::test]
    async fn the_local_limiter_keeps_the_promises_of_the_port() {
        let rate = Rate { period: Duration::from_millis(900), ..MINUTE };
        let limiter = LocalRateLimiter::new(&[rate]);
        check_rate_limiter(&limiter, &limiter, rate.period, &[tenant("a"), tenant("b")]).await;
    }

    #[tokio::test]
    async fn callers_do_not_disturb_each_other() {
        let limiter = LocalRateLimiter::with_clock(&[Rate { count: 1, ..MINUTE }], FakeRelativeClock::default());
        for (owner, caller) in [("a", "key-1"), ("a", "key-2"), ("b", "key-1")] {
            assert_eq!(limiter.take(&tenant(owner), caller).await.wait, None);
            assert_eq!(limiter.take(&tenant(owner), caller).await.wait, Some(Duration::from_secs(60)));
        }
    }
}
