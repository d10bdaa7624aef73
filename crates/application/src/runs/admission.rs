//! How much work is taken in.
//!
//! Counts are read from the database at most every half second and grown by what this process has taken since, so that a
//! submission mostly costs no question. With several processes a limit may be passed by what the others take in that
//! time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::shared::TenantId;

use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Clock, RunQueue};

/// How long a count from the database is believed, in milliseconds.
const FRESH_MILLIS: i64 = 500;
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
    stored: u64,
    added: u64,
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
        if self.claims_reading(None) {
            let stored = self.queue.depth().await?;
            self.settle(None, stored);
        }
        if self.count(None).total() >= self.limits.queued {
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
        if self.claims_reading(Some(tenant)) {
            let stored = self.queue.load(tenant, limit).await?.queued;
            self.settle(Some(tenant), stored);
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

    /// Whether a count is to be read again. Of many callers at once one is told so; the others go by the old one.
    fn claims_reading(&self, tenant: Option<&TenantId>) -> bool {
        let now = self.clock.now();
        let mut counts = self.counts();
        let count = counts.entry(tenant.cloned()).or_default();
        let is_fresh = count.read_at.is_some_and(|read_at| (now - read_at).abs() < TimeDelta::milliseconds(FRESH_MILLIS));
        if !is_fresh {
            count.read_at = Some(now);
        }
        !is_fresh
    }

    fn settle(&self, tenant: Option<&TenantId>, stored: u64) {
        let mut counts = self.counts();
        let count = counts.entry(tenant.cloned()).or_default();
        (count.stored, count.added) = (stored, 0);
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
