//! When a delivery is tried again (execution rules, section 13).

use std::time::Duration;

/// How often a delivery is tried.
pub const MAX_ATTEMPTS: u32 = 10;

/// Pauses before each attempt, the first one included: about 75.6 hours in all.
const PAUSES: [Duration; MAX_ATTEMPTS as usize] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(14 * 3600),
    Duration::from_secs(20 * 3600),
    Duration::from_secs(24 * 3600),
];

/// The longest `Retry-After` that is heeded beyond the schedule.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// An HTTP status, and for how long the receiver wants to be left alone.
    Status(u16, Option<Duration>),
    /// No answer: refused address, time-out, broken connection.
    Nothing,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextAttempt {
    /// The receiver has it.
    Done,
    /// Again after this time.
    After(Duration),
    /// Never again: all attempts are used up.
    GiveUp,
    /// Never again, and the endpoint wants nothing any more (410).
    Disable,
}

/// What follows the attempt with this number (from 1). `jitter`, 0 to 1, makes a pause up to a tenth longer, so that
/// receivers that come back are not met by everybody at once. Only 2xx is success; a redirect is a failure.
#[must_use]
pub fn next_attempt(attempt: u32, answered: Answered, jitter: f64) -> NextAttempt {
    let wanted = match answered {
        Answered::Status(200..=299, _) => return NextAttempt::Done,
        Answered::Status(410, _) => return NextAttempt::Disable,
        Answered::Status(_, retry_after) => retry_after,
        Answered::Nothing => None,
    };
    let place = usize::try_from(attempt).unwrap_or(usize::MAX);
    match PAUSES.get(place) {
        None => NextAttempt::GiveUp,
        Some(pause) => {
            let pause = pause.mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 10.0);
            let wanted = wanted.map_or(Duration::ZERO, |wanted| wanted.min(LONGEST_RETRY_AFTER));
            NextAttempt::After(pause.max(wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_has_ten_attempts_and_lasts_about_three_days() {
        let failed = Answered::Status(500, None);
        let mut total = Duration::ZERO;
        for attempt in 1..MAX_ATTEMPTS {
            let NextAttempt::After(pause) = next_attempt(attempt, failed, 0.0) else {
                panic!("attempt {attempt} is not the last")
            };
            total += pause;
        }
        assert_eq!(next_attempt(MAX_ATTEMPTS, failed, 0.0), NextAttempt::GiveUp);
        assert_eq!(total.as_secs(), 5 + 300 + 1800 + 3600 * (2 + 5 + 10 + 14 + 20 + 24));
    }

    #[test]
    fn only_2xx_is_success() {
        assert_eq!(next_attempt(1, Answered::Status(204, None), 0.0), NextAttempt::Done);
        for status in [301, 302, 400, 404, 429, 500, 503] {
            assert!(matches!(next_attempt(1, Answered::Status(status, None), 0.0), NextAttempt::After(_)), "{status}");
        }
        assert_eq!(next_attempt(1, Answered::Status(410, None), 0.0), NextAttempt::Disable);
        assert!(
            matches!(next_attempt(3, Answered::Nothing, 1.0), NextAttempt::After(pause) if pause == Duration::from_secs(1980))
        );
    }

    #[test]
    fn the_receivers_wish_is_heeded_within_reason() {
        let wish = |seconds| Answered::Status(429, Some(Duration::from_secs(seconds)));
        assert_eq!(next_attempt(1, wish(60), 0.0), NextAttempt::After(Duration::from_secs(60)));
        assert_eq!(
            next_attempt(2, wish(60), 0.0),
            NextAttempt::After(Duration::from_secs(300)),
            "never sooner than the schedule"
        );
        assert_eq!(next_attempt(1, wish(u64::from(u32::MAX)), 0.0), NextAttempt::After(Duration::from_secs(24 * 3600)));
    }
}
