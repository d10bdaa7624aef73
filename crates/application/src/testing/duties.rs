//! Duties in memory, and what every adapter must keep to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use uuid::Uuid;

use super::store::{must, settle};
use crate::ports::{Clock, Duties, Duty, StoreError};

/// Who has a duty until when, and the number of its tenure.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    holder: Option<Uuid>,
    epoch: u64,
    until: DateTime<Utc>,
}

/// Duties that are forgotten with the process. The given clock is that of the database.
pub struct InMemoryDuties {
    clock: Arc<dyn Clock>,
    held: Mutex<BTreeMap<Duty, Held>>,
    fails: AtomicBool,
}

impl InMemoryDuties {
    /// Nobody has a duty.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, held: Mutex::default(), fails: AtomicBool::new(false) }
    }

    /// Whether the database is away from now on.
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    fn with<T>(&self, duty: Duty, change: impl FnOnce(&mut Held) -> T) -> Result<T, StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the test says so".into()));
        }
        Ok(change(self.held.lock().unwrap_or_else(PoisonError::into_inner).entry(duty).or_default()))
    }
}

#[async_trait]
impl Duties for InMemoryDuties {
    async fn hold(&self, duty: Duty, holder: Uuid, lease: Duration) -> Result<Option<u64>, StoreError> {
        let now = self.clock.now();
        self.with(duty, |held| {
            if held.holder != Some(holder) {
                if held.holder.is_some() && held.until > now {
                    return None;
                }
                held.holder = Some(holder);
                held.epoch += 1;
            }
            held.until = now + TimeDelta::from_std(lease).unwrap_or_default();
            Some(held.epoch)
        })
    }

    async fn release(&self, duty: Duty, holder: Uuid) -> Result<(), StoreError> {
        self.with(duty, |held| {
            if held.holder == Some(holder) {
                held.holder = None;
            }
        })
    }
}

/// One database, seen by two processes.
#[derive(Clone)]
pub struct DutyHarness {
    /// How one process sees it.
    pub one: Arc<dyn Duties>,
    /// How another one sees it.
    pub other: Arc<dyn Duties>,
    /// How far two statements may disagree about the present: nothing on most databases.
    pub clock_step: Duration,
}

const LONG: Duration = Duration::from_secs(3_600);
/// Over as soon as it has begun.
const NONE: Duration = Duration::ZERO;

/// Runs every check, each on what `open` gives: a database in which nobody has had a duty.
///
/// # Panics
/// Where a promise is broken.
pub async fn run_suite(open: impl AsyncFn() -> DutyHarness) {
    one_has_a_duty_and_keeps_it(&open().await).await;
    an_expired_duty_is_free(&open().await).await;
    what_is_given_back_is_free_at_once(&open().await).await;
    of_many_at_once_one_gets_it(&open().await).await;
}

fn holder(place: u128) -> Uuid {
    Uuid::from_u128(place)
}

async fn one_has_a_duty_and_keeps_it(harness: &DutyHarness) {
    let DutyHarness { one, other, .. } = harness;
    let epoch = must(one.hold(Duty::Runs, holder(1), LONG).await);
    assert!(epoch.is_some_and(|epoch| epoch > 0), "nobody had it: {epoch:?}");
    assert_eq!(must(other.hold(Duty::Runs, holder(2), LONG).await), None);
    assert_eq!(must(one.hold(Duty::Runs, holder(1), LONG).await), epoch, "one tenure has one number");
    assert_eq!(must(other.hold(Duty::Runs, holder(1), LONG).await), epoch, "who it is goes by the id alone");
    assert!(must(other.hold(Duty::Schedules, holder(2), LONG).await).is_some(), "duties have nothing to do with each other");
    assert_eq!(must(one.hold(Duty::Schedules, holder(1), LONG).await), None);
}

async fn an_expired_duty_is_free(harness: &DutyHarness) {
    let DutyHarness { one, other, clock_step } = harness;
    let first = must(one.hold(Duty::Runs, holder(1), NONE).await);
    settle(*clock_step).await;
    assert_eq!(must(one.hold(Duty::Runs, holder(1), NONE).await), first, "nobody else had it meanwhile");
    settle(*clock_step).await;
    let second = must(other.hold(Duty::Runs, holder(2), LONG).await);
    assert!(second > first, "{second:?} after {first:?}");
    assert_eq!(must(one.hold(Duty::Runs, holder(1), LONG).await), None);
    // A holder may shorten what it has.
    assert_eq!(must(other.hold(Duty::Runs, holder(2), NONE).await), second);
    settle(*clock_step).await;
    assert!(must(one.hold(Duty::Runs, holder(1), LONG).await) > second);
}

async fn what_is_given_back_is_free_at_once(harness: &DutyHarness) {
    let DutyHarness { one, other, .. } = harness;
    must(one.release(Duty::Runs, holder(1)).await);
    let first = must(one.hold(Duty::Runs, holder(1), LONG).await);
    must(other.release(Duty::Runs, holder(2)).await);
    assert_eq!(must(other.hold(Duty::Runs, holder(2), LONG).await), None, "others cannot give it back");
    must(one.release(Duty::Runs, holder(1)).await);
    let second = must(other.hold(Duty::Runs, holder(2), LONG).await);
    assert!(second > first, "{second:?} after {first:?}");
    must(one.release(Duty::Runs, holder(1)).await);
    assert_eq!(must(one.hold(Duty::Runs, holder(1), LONG).await), None);
    must(other.release(Duty::Runs, holder(2)).await);
    let third = must(other.hold(Duty::Runs, holder(2), LONG).await);
    assert!(third > second, "a new tenure, also of the same holder: {third:?} after {second:?}");
}

async fn of_many_at_once_one_gets_it(harness: &DutyHarness) {
    for _ in 0..5 {
        let attempts = (1..=12).map(|place| {
            let duties = if place % 2 == 0 { &harness.one } else { &harness.other };
            async move { (holder(place), must(duties.hold(Duty::Runs, holder(place), LONG).await)) }
        });
        let holders: Vec<Uuid> =
            join_all(attempts).await.into_iter().filter_map(|(holder, epoch)| epoch.map(|_| holder)).collect();
        assert_eq!(holders.len(), 1, "held by {holders:?}");
        for holder in holders {
            must(harness.one.release(Duty::Runs, holder).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clock::FixedClock;

    #[tokio::test]
    async fn the_fake_keeps_the_promises_of_the_port() {
        run_suite(async || {
            let duties: Arc<dyn Duties> = Arc::new(InMemoryDuties::new(Arc::new(FixedClock::default())));
            DutyHarness { one: duties.clone(), other: duties, clock_step: Duration::ZERO }
        })
        .await;
    }
}
