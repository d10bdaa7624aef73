//! What the server remembers of each request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;

use super::request::ChatRequest;

/// One request and how its answer ended.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Headers as they came.
    pub headers: Arc<HeaderMap>,
    /// The body.
    pub chat: ChatRequest,
    /// When its body had been read.
    pub at: Instant,
    closed_early: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Recorded {
    /// Whether the client closed the connection before the answer was complete.
    pub fn closed_early(&self) -> bool {
        self.closed_early.load(Ordering::SeqCst)
    }

    /// Whether the answer is over, complete or not.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// All requests of one server and the count of those being answered.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: Mutex<Vec<Recorded>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Log {
    /// Notes a request; the guard notes the end of its answer.
    pub(super) fn begin(self: &Arc<Self>, headers: HeaderMap, chat: ChatRequest) -> AnswerGuard {
        let recorded = Recorded {
            headers: Arc::new(headers),
            chat,
            at: Instant::now(),
            closed_early: Arc::default(),
            ended: Arc::default(),
        };
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(recorded.clone());
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        AnswerGuard { log: Arc::clone(self), recorded, complete: false }
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::SeqCst)
    }
}

/// Lives as long as an answer is being written. Dropped before [`AnswerGuard::complete`], the client has gone.
#[derive(Debug)]
pub(super) struct AnswerGuard {
    log: Arc<Log>,
    recorded: Recorded,
    complete: bool,
}

impl AnswerGuard {
    /// Everything the script wanted to send has been handed over.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for AnswerGuard {
    fn drop(&mut self) {
        self.log.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.recorded.closed_early.store(!self.complete, Ordering::SeqCst);
        self.recorded.ended.store(true, Ordering::SeqCst);
    }
}
