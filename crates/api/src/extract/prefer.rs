//! `Prefer: wait=N` (RFC 7240).

use std::time::Duration;

use axum::http::HeaderMap;

/// Seconds a request may be held at most.
pub(crate) const LONGEST_WAIT_SECONDS: u64 = 60;

/// How long the caller wants to wait for the end of a task. A preference that makes no sense is ignored, as the
/// standard says; a longer one is cut to what is offered.
pub(crate) fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let preferences = values.flat_map(|value| value.split(','));
    let seconds = preferences.filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| value.trim().trim_matches('"').parse::<u64>().ok()).flatten()
    });
    seconds.take(1).next().map(|seconds| Duration::from_secs(seconds.min(LONGEST_WAIT_SECONDS)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn wait(value: &'static str) -> Option<u64> {
        preferred_wait(&HeaderMap::from_iter([(axum::http::HeaderName::from_static("prefer"), HeaderValue::from_static(value))]))
            .map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        assert_eq!(wait("wait=10"), Some(10));
        assert_eq!(wait("respond-async, Wait = \"7\""), Some(7));
        assert_eq!(wait("wait=5;foo=bar"), Some(5));
        assert_eq!(wait("wait=0"), Some(0));
    }

    #[test]
    fn nonsense_is_ignored_and_too_much_is_cut() {
        for value in ["", "wait", "wait=", "wait=soon", "wait=-1", "waiting=5", "respond-async"] {
            assert_eq!(wait(value), None, "{value}");
        }
        assert_eq!(wait("wait=86400"), Some(60));
        assert_eq!(preferred_wait(&HeaderMap::new()), None);
    }
}
