//! The clock that this program shares with the processes under test.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "times of several processes are compared: they share this clock alone")]
pub(crate) fn micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// An instant of the API (RFC 3339) in microseconds since 1970; 0 where it is none.
pub(crate) fn parse(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).map_or(0, |instant| instant.timestamp_micros())
}
