//! How much work is taken in.
//!
//! Counts are read from the database now and then and grown by what this process has taken since, so that a submission
//! mostly costs no question: every half second near a limit, more rarely the further it is away. With several processes
//! a limit may be passed by what the others take in that time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::shared::TenantId;

use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Clock, RunQueue};

/// How long a count from the database is believed at least.
const FRESH: TimeDelta = TimeDelta::milliseconds(500);
/// How long at most.
const STALE: TimeDelta = TimeDelta::seconds(30);
/// How many tasks the other processes take in a millisecond at most: a count is believed for as long as they need to reach
/// the limit. Several times what a database bears.
const OTHERS: u64 = 10;
/// It is not made again before this many times as long as it took: a queue that is long to count must not keep the database
/// busy with counting.
const REST: i32 = 8;
/// When to try again where a queue is full.
const QUEUE_RETRY: Duration = Duration::from_secs(5);
/// When to try again where too many requests come at once.
const BUSY_RETRY: Duration = Duration::from_secs(1);

/// How much work is taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Queued and scheduled runs of one tenant.
    pub queued_per_tenant: u32,
    /// Queued runs of all tenants.
    pub queued: u64,
    /// Submissions that this process works on at once.
    pub in_flight: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { queued_per_tenant: 100_000, queued: 1_000_000, in_flight: 2_048 }
    }
}

/// Refuses work before it costs anything where there is too much already.
pub struct Admission {
    queue: Arc<dyn RunQueue>,
    clock: Arc<dyn Clock>,
    limits: AdmissionLimits,
    in_flight: Arc<AtomicUsize>,
    /// By tenant; without one, of the whole installation.
    counts: Mutex<HashMap<Option<TenantId>, Count>>,
}

/// A count from the database, and what has come since.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    read_at: Option<DateTime<Utc>>,
    took: TimeDelta,
    is_being_read: bool,
    stored: u64,
    added: u64,
}

/// The right to read a count; another caller gets it when this one is dropped.
struct Reading<'admission> {
    admission: &'admission Admission,
    tenant: Option<TenantId>,
    since: DateTime<Utc>,
}

impl Reading<'_> {
    fn end(self, stored: u64) {
        let now = self.admission.clock.now();
        let mut counts = self.admission.counts();
        let count = counts.entry(self.tenant.clone()).or_default();
        (count.stored, count.added) = (stored, 0);
        (count.read_at, count.took) = (Some(now), (now - self.since).max(TimeDelta::zero()));
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.admission.counts().get_mut(&self.tenant) {
            count.is_being_read = false;
        }
    }
}

/// The place of a submission among those that are worked on; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// Over a queue whose runs are counted.
    #[must_use]
    pub fn new(queue: Arc<dyn RunQueue>, clock: Arc<dyn Clock>, limits: AdmissionLimits) -> Self {
        Self { queue, clock, limits, in_flight: Arc::default(), counts: Mutex::default() }
    }

    /// The queue.
    pub(super) fn queue(&self) -> &dyn RunQueue {
        &*self.queue
    }

    /// Lets a submission in, unless this process or the installation has too much to do.
    ///
    /// # Errors
    /// `unavailable` with the reason `overloaded`.
    pub(super) async fn enter(&self) -> Result<Place> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Place(self.in_flight.clone());
        if before >= self.limits.in_flight {
            return Err(overloaded("too many tasks are being submitted at this moment", BUSY_RETRY));
        }
        if let Some(reading) = self.claims_reading(None) {
            reading.end(self.queue.depth().await?);
        }
        if self.count(None).total() >= self.limit(None) {
            return Err(overloaded("the queue of this installation is full", QUEUE_RETRY));
        }
        Ok(place)
    }

    /// Counts a new run of a tenant, unless its queue is full.
    ///
    /// # Errors
    /// `quota_exceeded` with the reason `queue_full`.
    pub(super) async fn admit(&self, tenant: &TenantId) -> Result<()> {
        let limit = self.limits.queued_per_tenant;
        if let Some(reading) = self.claims_reading(Some(tenant)) {
            reading.end(self.queue.load(tenant, limit).await?.queued);
        }
        let mut counts = self.counts();
        let count = counts.entry(Some(tenant.clone())).or_default();
        if count.total() >= u64::from(limit) {
            let message = format!("{limit} tasks wait already, and no more are allowed; try again when some are done");
            return Err(Error::new(ErrorCode::QuotaExceeded, message).because("queue_full").retry_after(QUEUE_RETRY));
        }
        count.added = count.added.saturating_add(1);
        let whole = counts.entry(None).or_default();
        whole.added = whole.added.saturating_add(1);
        Ok(())
    }

    /// How much a tenant, or the whole installation, may have waiting.
    fn limit(&self, tenant: Option<&TenantId>) -> u64 {
        tenant.map_or(self.limits.queued, |_| u64::from(self.limits.queued_per_tenant))
    }

    /// The right to read a count again, if it is time. Of many callers at once one gets it; the others go by the old one,
    /// however long the reading takes.
    fn claims_reading(&self, tenant: Option<&TenantId>) -> Option<Reading<'_>> {
        let now = self.clock.now();
        let mut counts = self.counts();
        let count = counts.entry(tenant.cloned()).or_default();
        let millis = self.limit(tenant).saturating_sub(count.total()) / OTHERS;
        let reached = i64::try_from(millis).map_or(STALE, |millis| STALE.min(TimeDelta::milliseconds(millis)));
        let rest = FRESH.max(reached).max(count.took * REST);
        let is_fresh = count.read_at.is_some_and(|read_at| (now - read_at).abs() < rest);
        if is_fresh || count.is_being_read {
            return None;
        }
        count.is_being_read = true;
        Some(Reading { admission: self, tenant: tenant.cloned(), since: now })
    }

    fn count(&self, tenant: Option<&TenantId>) -> Count {
        self.counts().get(&tenant.cloned()).copied().unwrap_or_default()
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Option<TenantId>, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Count {
    const fn total(self) -> u64 {
        self.stored.saturating_add(self.added)
    }
}

fn overloaded(message: &str, retry_after: Duration) -> Error {
    Error::new(ErrorCode::Unavailable, message).because("overloaded").retry_after(retry_after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clock::FixedClock;
    use crate::testing::memory::InMemoryStore;

    #[test]
    fn a_queue_that_is_long_to_count_is_counted_by_one_and_not_again_at_once() {
        let clock = Arc::new(FixedClock::default());
        let limits = AdmissionLimits { queued: 10, ..AdmissionLimits::default() };
        let admission = Admission::new(Arc::new(InMemoryStore::new(clock.clone())), clock.clone(), limits);
        let reading = admission.claims_reading(None).unwrap();
        clock.advance(Duration::from_secs(2));
        assert!(admission.claims_reading(None).is_none(), "somebody is at it");
        reading.end(7);
        assert_eq!(admission.count(None).total(), 7);
        clock.advance(Duration::from_secs(15));
        assert!(admission.claims_reading(None).is_none(), "it took two seconds");
        clock.advance(Duration::from_secs(1));
        drop(admission.claims_reading(None).unwrap());
        admission.claims_reading(None).expect("who gave up left it to others").end(8);
        clock.advance(Duration::from_millis(500));
        assert!(admission.claims_reading(None).is_some(), "it took no time");
    }
    #[test]
    fn a_queue_is_counted_the_more_rarely_the_further_its_limit_is_away() {
        let clock = Arc::new(FixedClock::default());
        let limits = AdmissionLimits { queued: 100_000, ..AdmissionLimits::default() };
        let admission = Admission::new(Arc::new(InMemoryStore::new(clock.clone())), clock.clone(), limits);
        let wait_after = |stored: u64| {
            admission.claims_reading(None).unwrap().end(stored);
            (1..=600).find(|_| {
                clock.advance(Duration::from_millis(100));
                admission.claims_reading(None).is_some()
            })
        };
        assert_eq!(wait_after(20_000), Some(80), "80,000 places are gone in 8 s at the earliest");
        assert_eq!(wait_after(99_000), Some(5));
        assert_eq!(wait_after(200_000), Some(5));
    }
}
