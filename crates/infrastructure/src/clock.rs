//! The wall clock, and the one that all nodes of an installation share.

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

impl NodeClock {
    /// A clock that goes by the node's own until it has heard of another.
    #[must_use]
    pub fn new(own: Arc<dyn Clock>) -> Self {
        Self { own, correction: Arc::default() }
    }

    /// Takes over the database's present, as it was when this is called. Returns how far the node's own clock is ahead
    /// of it, if that is another difference than before.
    #[must_use]
    pub fn agree_with(&self, present: DateTime<Utc>) -> Option<TimeDelta> {
        if (present - self.now()).abs() < NOTABLE {
            return None;
        }
        let ahead = self.own.now() - present;
        let correction = if ahead.abs() < NOTABLE { 0 } else { -ahead.num_microseconds().unwrap_or_default() };
        self.correction.store(correction, Ordering::Relaxed);
        Some(ahead)
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

    #[test]
    fn a_clock_an_hour_off_is_corrected() {
        for hour in [TimeDelta::hours(1), TimeDelta::hours(-1)] {
            let (database, own) = (FixedClock::default(), Arc::new(FixedClock::default()));
            own.set(database.now() + hour);
            let clock = NodeClock::new(own.clone());
            assert_eq!(clock.now() - database.now(), hour, "nothing is known yet");
            assert_eq!(clock.agree_with(database.now()), Some(hour));
            assert_eq!(clock.now(), database.now());
            assert_eq!(clock.agree_with(database.now()), None, "said once");
            own.advance(Duration::from_secs(90));
            database.advance(Duration::from_secs(90));
            assert_eq!(clock.now(), database.now(), "it runs on by itself");
            // Somebody sets it right.
            own.set(database.now());
            assert_eq!(clock.agree_with(database.now()), Some(TimeDelta::zero()));
            assert_eq!(clock.now(), database.now());
        }
    }

    #[test]
    fn small_differences_are_left_alone() {
        let own = Arc::new(FixedClock::default());
        let clock = NodeClock::new(own.clone());
        let before = clock.now();
        assert_eq!(clock.agree_with(before + TimeDelta::milliseconds(999)), None);
        assert_eq!(clock.agree_with(before - TimeDelta::milliseconds(999)), None);
        assert_eq!(clock.now(), before);
    }

    #[test]
    fn instants_have_no_more_than_microseconds() {
        let now = SystemClock.now();
        assert_eq!(now.timestamp_subsec_nanos() % 1_000, 0);
        assert!(now.timestamp() > 1_700_000_000, "a clock before 2023 is not set: {now}");
    }
}
