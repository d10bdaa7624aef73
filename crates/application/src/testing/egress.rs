//! A way out that leads nowhere: it records requests and answers from a script.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use crate::ports::{Outbound, OutboundError, OutboundRequest, OutboundResponse};

/// Answers requests in the order of its script; without one left, with 204 and no body. Of addresses it allows those
/// that begin with `https://` and whose host was not denied.
#[derive(Debug, Default)]
pub struct ScriptedOutbound {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Result<OutboundResponse, OutboundError>>,
    requests: Vec<OutboundRequest>,
    denied: Vec<String>,
}

impl ScriptedOutbound {
    /// Answers one of the next requests: those of the script come in their order.
    pub fn answer(&self, answer: Result<OutboundResponse, OutboundError>) {
        self.lock().answers.push_back(answer);
    }

    /// Answers one of the next requests with a status, headers and a body.
    pub fn answer_with(&self, status: u16, headers: &[(&str, &str)], body: &'static str) {
        let headers = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
        self.answer(Ok(OutboundResponse { status, headers, body: Bytes::from_static(body.as_bytes()) }));
    }

    /// Denies all addresses that hold this text, from now on.
    pub fn deny(&self, text: impl Into<String>) {
        self.lock().denied.push(text.into());
    }

    /// The requests so far, oldest first; denied ones are not among them.
    #[must_use]
    pub fn requests(&self) -> Vec<OutboundRequest> {
        self.lock().requests.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Outbound for ScriptedOutbound {
    fn check_url(&self, url: &str) -> Result<(), OutboundError> {
        let is_denied = !url.starts_with("https://") || self.lock().denied.iter().any(|text| url.contains(text.as_str()));
        if is_denied { Err(OutboundError::Denied) } else { Ok(()) }
    }

    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError> {
        self.check_url(&request.url)?;
        let mut state = self.lock();
        state.requests.push(request);
        let nothing = OutboundResponse { status: 204, headers: Vec::new(), body: Bytes::new() };
        state.answers.pop_front().unwrap_or(Ok(nothing))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ports::OutboundMethod;

    fn request(url: &str) -> OutboundRequest {
        OutboundRequest {
            method: OutboundMethod::Post,
            url: url.to_owned(),
            headers: vec![("webhook-id".to_owned(), "1".to_owned())],
            body: Bytes::from_static(b"{}"),
            time_limit: Duration::from_secs(15),
            max_response_bytes: 64,
        }
    }

    #[tokio::test]
    async fn answers_come_in_order_and_requests_are_kept() {
        let outbound = ScriptedOutbound::default();
        outbound.answer_with(429, &[("Retry-After", "7")], "later");
        outbound.answer(Err(OutboundError::Timeout));
        let url = "https://example.org/hook";
        let first = outbound.send(request(url)).await.expect("an answer");
        assert_eq!((first.status, first.header("retry-after")), (429, Some("7")));
        assert_eq!(outbound.send(request(url)).await, Err(OutboundError::Timeout));
        assert_eq!(outbound.send(request(url)).await.map(|answer| answer.status), Ok(204));
        outbound.deny("example.org");
        assert_eq!(outbound.send(request(url)).await, Err(OutboundError::Denied));
        assert_eq!(outbound.check_url("http://example.com"), Err(OutboundError::Denied));
        assert_eq!(outbound.requests(), vec![request(url), request(url), request(url)]);
    }
}
