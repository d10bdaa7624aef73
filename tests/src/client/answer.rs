//! One HTTP answer, read whole.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and text of an answer, with the request that led to it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Method of the request.
    pub method: String,
    /// Path and query of the request.
    pub path: String,
    /// Status code.
    pub status: u16,
    /// Headers of the answer.
    pub headers: HeaderMap,
    /// Body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; panics with the answer when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{} {} -> {}: not JSON ({error}): {}", self.method, self.path, self.status, self.text))
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Panics with the answer unless it has this status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {} {:?}: {}", self.method, self.path, self.headers, self.text);
        self
    }
}
