//! What is known of a request before its route runs.

use axum::http::HeaderMap;
use crewd_application::ports::IdGenerator;

/// The name of the header that carries the id of a request.
pub(super) const REQUEST_ID: &str = "x-request-id";

/// Travels with the request as an extension.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestInfo {
    /// Its id: the caller's if that has a good shape, else a new one.
    pub(crate) request_id: String,
    /// The trace context of the request's own span; that of the caller if no traces are kept here.
    pub(crate) traceparent: Option<String>,
}

/// The caller's request id, if it is 1 to 128 visible ASCII characters, else a new one.
pub(super) fn request_id(headers: &HeaderMap, ids: &dyn IdGenerator) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_good = |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    given.filter(is_good).map_or_else(|| ids.next_id().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use crewd_application::testing::ids::SequenceIds;

    use super::*;

    #[test]
    fn a_good_id_is_kept_and_any_other_replaced() {
        let id = |text: &str| {
            let headers = HeaderMap::from_iter([(
                axum::http::HeaderName::from_static(REQUEST_ID),
                HeaderValue::from_bytes(text.as_bytes()).unwrap(),
            )]);
            request_id(&headers, &SequenceIds::default())
        };
        let longest = "r".repeat(128);
        for good in ["my-request-1", "!", &longest] {
            assert_eq!(id(good), *good);
        }
        for wrong in ["", "has space", "tab\there", "caf\u{e9}", &"r".repeat(129)] {
            assert_eq!(id(wrong), SequenceIds::id(1).to_string(), "{wrong:?}");
        }
        assert_eq!(request_id(&HeaderMap::new(), &SequenceIds::default()), SequenceIds::id(1).to_string());
    }
}
