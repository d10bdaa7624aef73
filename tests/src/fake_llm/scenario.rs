//! Replies for the requests that carry one marker.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::fault::Fault;
use super::record::{Log, Recorded};
use super::request::ChatRequest;
use super::turn::{Call, Turn};
use super::wire::{WireAnswer, answer};

/// What to answer to one request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With tools on offer and no result yet, call the first one; else answer with text.
    Default,
    /// A well-behaved turn.
    Turn(Turn),
    /// A fault.
    Fault(Fault),
}

impl From<Turn> for Reply {
    fn from(turn: Turn) -> Self {
        Self::Turn(turn)
    }
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Reply {
    /// The reply as it goes over the socket.
    pub(super) fn wire(&self, request: &ChatRequest, number: usize) -> WireAnswer {
        match self {
            Self::Turn(turn) => answer(turn, request, number),
            Self::Fault(fault) => fault.answer(request),
            Self::Default => answer(&default_turn(request), request, number),
        }
    }
}

fn default_turn(request: &ChatRequest) -> Turn {
    match request.tools().first() {
        Some(tool) if request.may_call_tools() && request.tool_results().is_empty() => {
            Turn::calls([Call::tool(tool, serde_json::json!({}))])
        }
        _ => Turn::pieces(["The answer ", "of the ", "fake model."]),
    }
}

type Rule = Box<dyn Fn(&ChatRequest) -> Option<Reply> + Send + Sync>;

/// Script of one marker. Order of precedence: rules, then the queue, then the standing reply, then the default.
pub struct Scenario {
    pub(super) marker: String,
    log: Arc<Log>,
    rules: Mutex<Vec<Rule>>,
    queue: Mutex<VecDeque<Reply>>,
    standing: Mutex<Option<Reply>>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Scenario").field("marker", &self.marker).finish_non_exhaustive()
    }
}

impl Scenario {
    pub(super) fn new(marker: &str, log: Arc<Log>) -> Arc<Self> {
        Arc::new(Self {
            marker: marker.to_owned(),
            log,
            rules: Mutex::default(),
            queue: Mutex::default(),
            standing: Mutex::default(),
        })
    }

    /// The word that must stand in the task's inputs.
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// Appends a reply to the queue; each request takes one.
    pub fn then(&self, reply: impl Into<Reply>) -> &Self {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(reply.into());
        self
    }

    /// What every request gets once the queue is empty.
    pub fn always(&self, reply: impl Into<Reply>) -> &Self {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(reply.into());
        self
    }

    /// Asks `rule` first.
    pub fn when(&self, rule: impl Fn(&ChatRequest) -> Option<Reply> + Send + Sync + 'static) -> &Self {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(rule));
        self
    }

    /// Requests that carried the marker, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        let mut requests = self.log.requests();
        requests.retain(|request| self.matches(&request.chat));
        requests
    }

    /// The count of those requests.
    pub fn count(&self) -> usize {
        self.requests().len()
    }

    pub(super) fn matches(&self, request: &ChatRequest) -> bool {
        request.text().contains(&self.marker)
    }

    pub(super) fn reply(&self, request: &ChatRequest) -> Reply {
        for rule in self.rules.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(reply) = rule(request) {
                return reply;
            }
        }
        if let Some(next) = self.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            return next;
        }
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or(Reply::Default)
    }
}
