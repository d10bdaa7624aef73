//! What is written down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::http::HeaderMap;
use serde_json::Value;

/// One request.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, as they came.
    pub path: String,
    /// The header `Idempotency-Key`.
    pub key: Option<String>,
    /// Headers as they came.
    pub headers: Arc<HeaderMap>,
    /// The body as text.
    pub body: String,
    /// When its body had been read.
    pub at: Instant,
    effect: Arc<AtomicBool>,
    closed_early: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
}

impl Entry {
    /// Whether it had its effect.
    pub fn had_effect(&self) -> bool {
        self.effect.load(Ordering::SeqCst)
    }

    /// Whether the client closed the connection before the answer.
    pub fn closed_early(&self) -> bool {
        self.closed_early.load(Ordering::SeqCst)
    }

    /// Whether nothing more is answered.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// All requests, in the order they came, and the answers of those that had an effect.
#[derive(Debug, Default)]
pub(super) struct Record {
    entries: Mutex<Vec<Entry>>,
    answers: Mutex<BTreeMap<String, (u16, String)>>,
}

impl Record {
    pub(super) fn begin(self: &Arc<Self>, method: String, path: String, headers: HeaderMap, body: String) -> Writing {
        let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let entry = Entry {
            method,
            path,
            key,
            headers: Arc::new(headers),
            body,
            at: Instant::now(),
            effect: Arc::default(),
            closed_early: Arc::default(),
            ended: Arc::default(),
        };
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry.clone());
        Writing { record: Arc::clone(self), entry, complete: false }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The answer of the request that had its effect with this key.
    pub(super) fn answer_of(&self, key: &str) -> Option<(u16, String)> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }
}

/// Lives as long as a request is being answered. Dropped before [`Writing::complete`], the client has gone.
#[derive(Debug)]
pub(super) struct Writing {
    record: Arc<Record>,
    pub(super) entry: Entry,
    complete: bool,
}

impl Writing {
    /// The effect happens now; `status` and `body` are what a later question is answered with. With `once`, it does not
    /// happen where the key had its effect already.
    pub(super) fn happen(&self, status: u16, body: &str, once: bool) {
        let is_first = self.entry.key.as_ref().is_none_or(|key| {
            let mut answers = self.record.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let is_first = !answers.contains_key(key);
            answers.entry(key.clone()).or_insert_with(|| (status, body.to_owned()));
            is_first
        });
        self.entry.effect.store(is_first || !once, Ordering::SeqCst);
    }

    /// The answer goes out now.
    pub(super) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.entry.closed_early.store(!self.complete, Ordering::SeqCst);
        self.entry.ended.store(true, Ordering::SeqCst);
    }
}
