//! The wall clock, and the one that all nodes of an installation share.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use crewd_application::ports::Clock;

/// The clock of the machine, cut to microseconds, so that an instant is the same before and after a database kept it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter that reads the wall clock")]
        let now = Utc::now();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }
}

/// The clock of a machine whose time was set wrong, for debug builds under test.
#[cfg(debug_assertions)]
#[derive(Clone, Copy, Debug)]
pub struct WrongClock {
    /// How far it is ahead.
    pub seconds: i64,
}

#[cfg(debug_assertions)]
impl Clock for WrongClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::seconds(self.seconds)
    }
}

/// A clock of this node that agrees with the database's, however wrong the node's own is: what one process writes as
/// the present, others compare with the database's present. Differences below a second are left alone, so that time
/// does not jump back and forth.
#[derive(Clone)]
pub struct NodeClock {
    own: Arc<dyn Clock>,
    /// What is added to the node's own time, in microseconds.
    correction: Arc<AtomicI64>,
}

/// A difference that is corrected.
const NOTABLE: TimeDelta = TimeDelta::seconds(1);
/// An answer that took longer says too little of when the database looked at its clock.
const SOON: TimeDelta = TimeDelta::milliseconds(500);

impl NodeClock {
    /// A clock that goes by the node's own until it has heard of another.
    #[must_use]
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, correction: Arc::default() }
    }

    /// Asks for the database's present and takes it over. Returns how far the node's own clock is ahead of it, if that is
    /// another difference than before. An answer that was long under way tells too little and changes nothing.
    ///
    /// # Errors
    /// Where nobody answers.
    pub async fn agree_with<E>(&self, ask: impl Future<Output = Result<DateTime<Utc>, E>>) -> Result<Option<TimeDelta>, E> {
        let asked = self.own.now();
        let present = ask.await?;
        let under_way = self.own.now() - asked;
        if under_way < TimeDelta::zero() || under_way > SOON {
            return Ok(None);
        }
        // The database looked at its clock somewhere in between.
        let ahead = asked + under_way / 2 - present;
        if (ahead + TimeDelta::microseconds(self.correction.load(Ordering::Relaxed))).abs() < NOTABLE {
            return Ok(None);
        }
        let correction = if ahead.abs() < NOTABLE { 0 } else { -ahead.num_microseconds().unwrap_or_default() };
        self.correction.store(correction, Ordering::Relaxed);
        Ok(Some(ahead))
    }
}

impl Clock for NodeClock {
    fn now(&self) -> DateTime<Utc> {
        self.own.now() + TimeDelta::microseconds(self.correction.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crewd_application::testing::clock::FixedClock;

    use super::*;

    /// What the database says that is asked now and answers at once.
    async fn told(clock: &NodeClock, present: DateTime<Utc>) -> Option<TimeDelta> {
        clock.agree_with(async { Ok::<_, ()>(present) }).await.unwrap()
    }

    #[tokio::test]
    async fn a_clock_an_hour_off_is_corrected() {
        for hour in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
            let (database, own) = (FixedClock::default(), Arc::new(FixedClock::default()));
            own.set(database.now() + hour);
            let clock = NodeClock::new(own.clone());
            assert_eq!(clock.now() - database.now(), hour, "nothing is known yet");
            assert_eq!(told(&clock, database.now()).await, Some(hour));
            assert_eq!(clock.now(), database.now());
            assert_eq!(told(&clock, database.now()).await, None, "said once");
            own.advance(Duration::from_secs(90));
            database.advance(Duration::from_secs(90));
            assert_eq!(clock.now(), database.now(), "it runs on by itself");
            // Somebody sets it right.
            own.set(database.now());
            assert_eq!(told(&clock, database.now()).await, Some(TimeDelta::zero()));
            assert_eq!(clock.now(), database.now());
        }
    }

    #[tokio::test]
    async fn small_differences_are_left_alone() {
        let own = Arc::new(FixedClock::default());
        let clock = NodeClock::new(own.clone());
        let before = clock.now();
        assert_eq!(told(&clock, before + TimeDelta::milliseconds(999)).await, None);
        assert_eq!(told(&clock, before - TimeDelta::milliseconds(999)).await, None);
        assert_eq!(clock.now(), before);
    }

    #[tokio::test]
    async fn an_answer_that_was_long_under_way_changes_nothing() {
        let own = Arc::new(FixedClock::default());
        let clock = NodeClock::new(own.clone());
        let slow = clock.agree_with(async {
            let present = own.now();
            own.advance(Duration::from_secs(5));
            Ok::<_, ()>(present)
        });
        assert_eq!(slow.await, Ok(None));
        assert_eq!(clock.now(), own.now(), "a database under load is not behind");
        let quick = clock.agree_with(async {
            own.advance(Duration::from_millis(200));
            let present = own.now() + TimeDelta::hours(1);
            own.advance(Duration::from_millis(200));
            Ok::<_, ()>(present)
        });
        assert_eq!(quick.await, Ok(Some(TimeDelta::hours(-1))));
        assert_eq!(clock.now(), own.now() + TimeDelta::hours(1));
    }

    #[test]
    fn instants_have_no_more_than_microseconds() {
        let now = SystemClock.now();
        assert_eq!(now.timestamp_subsec_nanos() % 1_000, 0);
        assert!(now.timestamp() > 1_700_000_000, "a clock before 2023 is not set: {now}");
    }
}
