//! Effects counted outside of the product: a service that tools call, and that remembers every call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use crewd_tests::runtime::runtime;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::wall;

/// How a tool declares its effect, in the order in which the model calls them.
pub(crate) const KINDS: [&str; 3] = ["keyed", "idempotent", "effectful"];

/// One call of a tool.
#[derive(Clone, Debug)]
pub(crate) struct Effect {
    /// When it came.
    pub(crate) at: i64,
    /// Its `Idempotency-Key`; empty without one.
    pub(crate) key: String,
}

#[derive(Debug)]
struct Shared {
    seed: u64,
    effects: Mutex<BTreeMap<(String, String), Vec<Effect>>>,
}

/// The service. Dropping it closes its port.
#[derive(Debug)]
pub(crate) struct Ledger {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Ledger {
    /// Starts it on a free port.
    pub(crate) async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("the port is known").port();
        let shared = Arc::new(Shared { seed, effects: Mutex::default() });
        let router = Router::new().route("/effects/{kind}", post(effect)).with_state(Arc::clone(&shared));
        let server = runtime().spawn(async move { axum::serve(listener, router).await.expect("the ledger serves") });
        Self { port, shared, server }
    }

    /// The address of a kind of effect.
    pub(crate) fn url(&self, kind: &str) -> String {
        format!("http://127.0.0.1:{}/effects/{kind}", self.port)
    }

    /// What was called for a task, by kind.
    pub(crate) fn effects(&self, kind: &str, marker: &str) -> Vec<Effect> {
        let effects = self.shared.effects.lock().unwrap_or_else(PoisonError::into_inner);
        effects.get(&(kind.to_owned(), marker.to_owned())).cloned().unwrap_or_default()
    }

    /// Calls in all, and how many of them had the key of an earlier one.
    pub(crate) fn totals(&self) -> (usize, usize) {
        let effects = self.shared.effects.lock().unwrap_or_else(PoisonError::into_inner);
        let calls: usize = effects.values().map(Vec::len).sum();
        let keys: BTreeSet<&String> = effects.values().flatten().map(|effect| &effect.key).collect();
        (calls, calls.saturating_sub(keys.len()))
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Counts first, answers later: a caller that dies in between has had its effect and does not know.
async fn effect(
    State(shared): State<Arc<Shared>>,
    Path(kind): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Json<Value> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let word = body["item"].as_str().unwrap_or("item?").to_owned();
    let mut dice = Dice::new(shared.seed, &format!("ledger {kind} {word} {key}"));
    tokio::time::sleep(dice.pause(0..120)).await;
    let count = {
        let mut effects = shared.effects.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = effects.entry((kind.clone(), word.clone())).or_default();
        calls.push(Effect { at: wall::micros(), key });
        calls.len()
    };
    tokio::time::sleep(dice.pause(0..250)).await;
    Json(json!({ "done": kind, "item": word, "count": count }))
}
