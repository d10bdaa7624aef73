//! One answer, read whole and checked against the error contract.

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt;
use serde_json::Value;

/// Status, headers and bytes of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
}

impl Answer {
    /// Reads an answer. Whatever is not 2xx must have the one shape of errors.
    pub(crate) async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body can be read").to_bytes();
        let answer = Self { status: parts.status, headers: parts.headers, body };
        if !answer.status.is_success() {
            answer.check_shape();
        }
        answer
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header as text; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Panics with the answer unless it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:?} {}", self.headers, self.text());
        self
    }

    /// Panics unless it is this error; gives its details.
    #[track_caller]
    pub(crate) fn expect_error(&self, status: u16, code: &str) -> Value {
        assert_eq!((self.status.as_u16(), &self.json()["code"]), (status, &Value::from(code)), "{}", self.text());
        self.json()["details"].clone()
    }

    /// Panics unless it is this error with this finer code.
    #[track_caller]
    pub(crate) fn expect_reason(&self, status: u16, code: &str, reason: &str) {
        assert_eq!(self.expect_error(status, code)["reason"], reason, "{}", self.text());
    }

    /// Panics unless it is this error with problems at exactly these places.
    #[track_caller]
    pub(crate) fn expect_fields(&self, status: u16, code: &str, pointers: &[&str]) {
        let details = self.expect_error(status, code);
        let found: Vec<_> = details["fields"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|field| field["pointer"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(found, pointers, "{}", self.text());
    }

    fn check_shape(&self) {
        let body = self.json();
        let mut keys: Vec<_> = body.as_object().expect("an object").keys().cloned().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["code", "details", "message", "request_id"], "{body}");
        assert_eq!(body["request_id"].as_str(), Some(self.header("x-request-id")), "{body}");
        assert!(body["details"].is_object() && body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        assert_eq!(self.header("content-type"), "application/json");
    }
}
