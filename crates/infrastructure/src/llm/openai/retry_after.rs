//! When the provider wants to be asked again.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// Longer waits are cut to this.
const LONGEST: Duration = Duration::from_secs(3600);

/// Reads `retry-after-ms`, then `retry-after` in seconds or as a date, which is read against the answer's own date.
/// Negative values and garbage count as not said.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let milliseconds = text("retry-after-ms").and_then(|value| duration(value, 1000.0));
    milliseconds.or_else(|| {
        let value = text(RETRY_AFTER.as_str())?;
        duration(value, 1.0).or_else(|| until(value, text(DATE.as_str())?))
    })
}

fn duration(value: &str, per_second: f64) -> Option<Duration> {
    let number: f64 = value.parse().ok()?;
    let seconds = number / per_second;
    if seconds.is_nan() || seconds < 0.0 {
        return None;
    }
    Some(Duration::try_from_secs_f64(seconds).map_or(LONGEST, |wait| wait.min(LONGEST)))
}

fn until(date: &str, now: &str) -> Option<Duration> {
    let date = DateTime::parse_from_rfc2822(date).ok()?;
    let now = DateTime::parse_from_rfc2822(now).ok()?;
    Some(date.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a header value"));
        }
        retry_after(&map)
    }

    #[test]
    fn seconds_milliseconds_and_dates_are_read() {
        assert_eq!(read(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(read(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(read(&[("retry-after", "9"), ("retry-after-ms", "250")]), Some(Duration::from_millis(250)));
        let dated = [("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"), ("date", "Fri, 31 Dec 1999 23:59:29 GMT")];
        assert_eq!(read(&dated), Some(Duration::from_secs(30)));
        let past = [("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT"), ("date", "Sat, 01 Jan 2000 00:00:29 GMT")];
        assert_eq!(read(&past), Some(Duration::ZERO));
    }

    #[test]
    fn absurd_waits_are_cut_and_garbage_is_not_said() {
        assert_eq!(read(&[("retry-after", "99999999999999999999999")]), Some(LONGEST));
        assert_eq!(read(&[("retry-after", "86400")]), Some(LONGEST));
        for garbage in ["-1", "soon", "NaN", "", "Fri, 31 Dec 1999 23:59:59 GMT"] {
            assert_eq!(read(&[("retry-after", garbage)]), None, "{garbage}");
        }
        assert_eq!(read(&[]), None);
    }
}
