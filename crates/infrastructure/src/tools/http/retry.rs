//! Which failures are tried again, and when.

use std::time::Duration;

use chrono::DateTime;
use crewd_application::ports::{OutboundError, OutboundResponse};
use sha2::{Digest, Sha256};

/// Attempts after the first one.
const MOST_RETRIES: u32 = 2;
/// Pause before the second attempt; twice as long before the third.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// How long to wait before the next attempt; nothing when there is to be none. `retries` were made already.
pub(super) fn pause(answer: &Result<OutboundResponse, OutboundError>, retries: u32, key: &str) -> Option<Duration> {
    if retries >= MOST_RETRIES {
        return None;
    }
    let asked = match answer {
        Ok(response) if matches!(response.status, 429 | 502 | 503 | 504) => retry_after(response),
        Err(OutboundError::Connect(_) | OutboundError::Broken(_)) => None,
        Ok(_) | Err(_) => return None,
    };
    let own = back_off(retries, key);
    // What the server asks for, and a little more, so that its callers do not all come back at once.
    Some(asked.map_or(own, |asked| asked.saturating_add(own)))
}

/// Between half and all of the full pause. Steps differ from each other; the same step always waits the same.
fn back_off(retries: u32, key: &str) -> Duration {
    let digest = Sha256::digest(format!("{key}\n{retries}"));
    let share = digest.first().copied().unwrap_or_default();
    let half = FIRST_PAUSE * 2_u32.saturating_pow(retries) / 2;
    half + half.mul_f64(f64::from(share) / 255.0)
}

/// The header in seconds, or as a date: that counts from the answer's own date, whatever our clock says.
fn retry_after(response: &OutboundResponse) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?;
    let now = DateTime::parse_from_rfc2822(response.header("date")?).ok()?;
    (until - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Result<OutboundResponse, OutboundError> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(OutboundResponse { status, headers, body: Bytes::new() })
    }

    #[test]
    fn passing_troubles_are_tried_again_twice() {
        for status in [429, 502, 503, 504] {
            assert!(pause(&answer(status, &[]), 0, "k").is_some(), "{status}");
            assert!(pause(&answer(status, &[]), 1, "k").is_some(), "{status}");
            assert_eq!(pause(&answer(status, &[]), 2, "k"), None, "{status}");
        }
        for status in [200, 301, 400, 404, 409, 500, 501] {
            assert_eq!(pause(&answer(status, &[]), 0, "k"), None, "{status}");
        }
        assert!(pause(&Err(OutboundError::Connect(String::new())), 0, "k").is_some());
        assert!(pause(&Err(OutboundError::Broken(String::new())), 0, "k").is_some());
        assert_eq!(pause(&Err(OutboundError::Denied), 0, "k"), None);
        assert_eq!(pause(&Err(OutboundError::Timeout), 0, "k"), None);
    }

    #[test]
    fn pauses_grow_and_differ() {
        let pauses: Vec<Duration> = (0..50).map(|step| back_off(0, &format!("key-{step}"))).collect();
        assert!(pauses.iter().all(|pause| (250..=500).contains(&pause.as_millis())), "{pauses:?}");
        assert!(pauses.iter().collect::<std::collections::BTreeSet<_>>().len() > 20);
        assert!((500..=1_000).contains(&back_off(1, "key").as_millis()));
    }

    #[test]
    fn the_server_says_when() {
        let asked = |headers: &[(&str, &str)]| pause(&answer(429, headers), 0, "k").unwrap() - back_off(0, "k");
        assert_eq!(asked(&[("retry-after", "7")]), Duration::from_secs(7));
        let (date, until) = ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:03 GMT");
        assert_eq!(asked(&[("retry-after", until), ("date", date)]), Duration::from_secs(3));
        assert_eq!(asked(&[("retry-after", date), ("date", until)]), Duration::ZERO, "past");
        assert_eq!(asked(&[("retry-after", until)]), Duration::ZERO);
        assert_eq!(asked(&[("retry-after", "soon")]), Duration::ZERO);
    }
}
