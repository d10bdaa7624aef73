//! Having a duty, and knowing for how long.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::ports::{Duties, Duty, StoreError};

/// What became of an attempt to have a duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenure {
    /// This process has it now and did not have it before.
    Begun {
        /// Grows with each holder.
        epoch: u64,
    },
    /// This process has had it and has it still.
    Kept,
    /// This process had it and has it no more.
    Lost,
    /// Another process has it.
    Elsewhere,
}

/// The part of a process in one duty: it tries to have it, and knows whether it does.
///
/// A duty is held by lease. The database counts the lease from an instant after the question was asked; this side counts
/// it from the question, by a clock that nobody can set. So it gives up before another process may begin.
pub struct Leadership {
    duties: Arc<dyn Duties>,
    duty: Duty,
    holder: Uuid,
    lease: Duration,
    until: Mutex<Option<Instant>>,
}

impl Leadership {
    /// A part that has nothing yet. `holder` is this process's own id.
    #[must_use]
    pub fn new(duties: Arc<dyn Duties>, duty: Duty, holder: Uuid, lease: Duration) -> Self {
        Self { duties, duty, holder, lease, until: Mutex::new(None) }
    }

    /// What it is about.
    #[must_use]
    pub const fn duty(&self) -> Duty {
        self.duty
    }

    /// How often to ask: a lease bears two failures.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.lease / 3
    }

    /// Whether this process has the duty now.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// Takes the duty if it is free, or prolongs it.
    ///
    /// # Errors
    /// Where the database does not answer, or not in time: what is held stays held until its lease expires.
    pub async fn renew(&self) -> Result<Tenure, StoreError> {
        let (asked, led) = (Instant::now(), self.leads());
        let answer = tokio::time::timeout(self.period(), self.duties.hold(self.duty, self.holder, self.lease)).await;
        let epoch = answer.map_err(|_elapsed| StoreError::Unavailable("no answer in time".into()))??;
        self.set(epoch.map(|_| asked + self.lease));
        Ok(match (epoch, led) {
            (Some(epoch), false) => Tenure::Begun { epoch },
            (Some(_), true) => Tenure::Kept,
            (None, true) => Tenure::Lost,
            (None, false) => Tenure::Elsewhere,
        })
    }

    /// Gives the duty back, if this process has it.
    ///
    /// # Errors
    /// Where the database does not answer; another process takes over when the lease expires.
    pub async fn resign(&self) -> Result<(), StoreError> {
        if self.set(None).is_none() {
            return Ok(());
        }
        self.duties.release(self.duty, self.holder).await
    }

    fn until(&self) -> Option<Instant> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut *self.until.lock().unwrap_or_else(PoisonError::into_inner), until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clock::FixedClock;
    use crate::testing::duties::InMemoryDuties;

    const LEASE: Duration = Duration::from_secs(6);

    /// Two processes and the clock of their database.
    fn two() -> (Arc<FixedClock>, Arc<InMemoryDuties>, Leadership, Leadership) {
        let clock = Arc::new(FixedClock::default());
        let duties = Arc::new(InMemoryDuties::new(clock.clone()));
        let [one, other] = [1, 2].map(|id| Leadership::new(duties.clone(), Duty::Runs, Uuid::from_u128(id), LEASE));
        (clock, duties, one, other)
    }

    async fn pass(clock: &FixedClock, time: Duration) {
        clock.advance(time);
        tokio::time::advance(time).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_takes_over_when_the_first_is_gone() {
        let (clock, _, one, other) = two();
        assert_eq!(one.renew().await.unwrap(), Tenure::Begun { epoch: 1 });
        assert_eq!(other.renew().await.unwrap(), Tenure::Elsewhere);
        pass(&clock, LEASE / 2).await;
        assert_eq!(one.renew().await.unwrap(), Tenure::Kept);
        pass(&clock, LEASE / 2).await;
        assert!(one.leads() && !other.leads());
        assert_eq!(other.renew().await.unwrap(), Tenure::Elsewhere);
        // The first one dies.
        pass(&clock, LEASE / 2).await;
        assert!(!one.leads());
        assert_eq!(other.renew().await.unwrap(), Tenure::Begun { epoch: 2 });
        assert_eq!(one.renew().await.unwrap(), Tenure::Elsewhere);
    }

    #[tokio::test(start_paused = true)]
    async fn who_resigns_is_followed_at_once() {
        let (_, _, one, other) = two();
        one.renew().await.unwrap();
        one.resign().await.unwrap();
        assert!(!one.leads());
        assert_eq!(other.renew().await.unwrap(), Tenure::Begun { epoch: 2 });
        one.resign().await.unwrap();
        assert!(other.leads());
        assert_eq!(other.renew().await.unwrap(), Tenure::Kept, "who has nothing gives nothing back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_is_away_ends_it_with_the_lease() {
        let (clock, duties, one, other) = two();
        one.renew().await.unwrap();
        duties.fail(true);
        pass(&clock, LEASE - Duration::from_millis(1)).await;
        assert!(one.renew().await.is_err());
        assert!(one.leads(), "its lease is still good");
        pass(&clock, Duration::from_millis(1)).await;
        assert!(!one.leads());
        duties.fail(false);
        assert_eq!(other.renew().await.unwrap(), Tenure::Begun { epoch: 2 });
        assert_eq!(one.renew().await.unwrap(), Tenure::Elsewhere);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_stopped_for_long_knows_before_it_asks() {
        let (clock, _, one, other) = two();
        one.renew().await.unwrap();
        pass(&clock, LEASE * 2).await;
        assert!(!one.leads());
        other.renew().await.unwrap();
        pass(&clock, Duration::from_secs(1)).await;
        assert_eq!(one.renew().await.unwrap(), Tenure::Elsewhere);
    }
}
