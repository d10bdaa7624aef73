//! Time that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::ports::Clock;

/// A clock that moves only when a test says so. It starts at 2026-01-01T00:00:00Z unless told otherwise.
#[derive(Debug)]
pub struct FixedClock {
    microseconds: AtomicI64,
}

impl FixedClock {
    /// Stands at the given instant, cut to microseconds.
    #[must_use]
    pub const fn new(at: DateTime<Utc>) -> Self {
        Self { microseconds: AtomicI64::new(at.timestamp_micros()) }
    }

    /// Jumps to an instant, also to an earlier one.
    pub fn set(&self, at: DateTime<Utc>) {
        self.microseconds.store(at.timestamp_micros(), Ordering::SeqCst);
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let step = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.microseconds.fetch_add(step, Ordering::SeqCst);
    }
}

impl Default for FixedClock {
    fn default() -> Self {
        Self { microseconds: AtomicI64::new(1_767_225_600_000_000) }
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.microseconds.load(Ordering::SeqCst)).unwrap_or_default()
    }
}

/// The clock of a machine that was set wrong: always so far ahead of another one.
#[derive(Clone)]
pub struct ShiftedClock {
    right: Arc<dyn Clock>,
    ahead: TimeDelta,
}

impl ShiftedClock {
    /// A clock that shows another one's time and so much more; less where it is negative.
    #[must_use]
    pub fn new(right: Arc<dyn Clock>, ahead: TimeDelta) -> Self {
        Self { right, ahead }
    }
}

impl Clock for ShiftedClock {
    fn now(&self) -> DateTime<Utc> {
        self.right.now() + self.ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_only_by_hand() {
        let clock = FixedClock::default();
        assert_eq!(clock.now().to_rfc3339(), "2026-01-01T00:00:00+00:00");
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.now().to_rfc3339(), "2026-01-01T00:00:01.500+00:00");
        clock.set(DateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.now());
        let shifted = ShiftedClock::new(Arc::new(FixedClock::new(DateTime::UNIX_EPOCH)), TimeDelta::hours(-1));
        assert_eq!(shifted.now(), DateTime::UNIX_EPOCH - TimeDelta::hours(1));
        assert_eq!(clock.now(), DateTime::UNIX_EPOCH);
    }
}
