//! For how long a receiver wants to be left alone.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// The time that a `Retry-After` asks for: a number of seconds, or a date of HTTP. A date that has passed asks for none.
pub(super) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean: long.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let until = DateTime::parse_from_rfc2822(value).ok()?.to_utc();
    Some((until - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().to_utc();
        let seconds = |value: &str| retry_after(value, now).map(|time| time.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Thu, 01 Jan 2026 00:01:30 GMT"), Some(90));
        assert_eq!(seconds("Wed, 31 Dec 2025 00:00:00 GMT"), Some(0));
        assert!(seconds("99999999999999999999999").is_some_and(|seconds| seconds > 86_400));
        for nonsense in ["", "soon", "-5", "1.5", "+3", "2026-01-01"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }
}
