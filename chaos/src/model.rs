//! A model server that remembers who asked for which turn of which task, and when.
//!
//! What it says follows from the conversation alone: on offer of tools it calls the first two, then the third, then it
//! answers. A family of markers is streamed slowly, for those who follow. Each process under test has a key of its own, so that a
//! call can be traced to the process that made it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use bytes::Bytes;
use crewd_tests::runtime::runtime;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::{marker, wall};

/// Markers of this family get their answer in many pieces.
pub(crate) const STREAMED: char = 's';
/// Markers of this family are answered slowly enough for kills to land in the middle.
pub(crate) const KILLED: char = 'k';
/// Markers of this family are answered by one text without a pause.
pub(crate) const QUICK: char = 'q';

/// One call of a turn.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// When it came.
    pub(crate) at: i64,
    /// The key of the process that asked.
    pub(crate) by: String,
}

/// Calls by marker and turn.
type Calls = HashMap<(String, usize), Vec<Asked>>;

struct Shared {
    seed: u64,
    calls: Mutex<Calls>,
}

/// The server. Dropping it closes its port.
pub(crate) struct Model {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Model {
    /// Starts it on a free port.
    pub(crate) async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("the port is known").port();
        let shared = Arc::new(Shared { seed, calls: Mutex::default() });
        let router = Router::new().route("/v1/chat/completions", post(chat)).with_state(Arc::clone(&shared));
        let server = runtime().spawn(async move { axum::serve(listener, router).await.expect("the model serves") });
        Self { port, shared, server }
    }

    /// For `APP_LLM_BASE_URL`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The calls of a turn of a task, in order.
    pub(crate) fn asked(&self, marker: &str, turn: usize) -> Vec<Asked> {
        let calls = self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(&(marker.to_owned(), turn)).cloned().unwrap_or_default()
    }

    /// All calls.
    pub(crate) fn total(&self) -> usize {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).values().map(Vec::len).sum()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn chat(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let text = String::from_utf8_lossy(&body);
    let word = marker::find(&text).unwrap_or("item?").to_owned();
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let turn = messages.iter().filter(|message| message["role"] == "assistant").count();
    let by = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let earlier = {
        let mut calls = shared.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = calls.entry((word.clone(), turn)).or_default();
        asked.push(Asked { at: wall::micros(), by });
        asked.len()
    };
    let family = word.chars().nth("item".len()).unwrap_or_default();
    let mut dice = Dice::new(shared.seed, &format!("model {word} {turn} {earlier}"));
    if family != QUICK {
        tokio::time::sleep(dice.pause(if family == KILLED { 100..900 } else { 50..450 })).await;
    }
    let results = messages.iter().filter(|message| message["role"] == "tool").count();
    let calls = tool_calls(&request, &word, results);
    let finish = if calls.is_empty() { "stop" } else { "tool_calls" };
    let deltas: Vec<Value> = if calls.is_empty() { texts(family, &word) } else { vec![json!({ "tool_calls": calls })] };
    let gap = if family == STREAMED { Duration::from_millis(40) } else { Duration::ZERO };
    let mut frames: Vec<String> = deltas.iter().map(|delta| frame(delta, None)).collect();
    frames.push(frame(&json!({}), Some(finish)) + &usage() + "data: [DONE]\n\n");
    let stream = futures::stream::iter(frames).then(move |frame| async move {
        if !gap.is_zero() {
            tokio::time::sleep(gap).await;
        }
        Ok::<_, Infallible>(Bytes::from(frame))
    });
    let response = Response::builder().header("content-type", "text/event-stream");
    response.body(Body::from_stream(stream)).expect("a response")
}

/// The calls of this turn: the first two tools together, then the third; nothing once three results are there.
fn tool_calls(request: &Value, word: &str, results: usize) -> Vec<Value> {
    let offered = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = match results {
        0 => 0..2,
        2 => 2..3,
        _ => return Vec::new(),
    };
    if offered.is_empty() || request["tool_choice"] == "none" {
        return Vec::new();
    }
    wanted
        .enumerate()
        .map(|(index, number)| {
            let name = offered.get(number).or(offered.first()).map(|tool| tool["function"]["name"].clone());
            let arguments = json!({ "item": word }).to_string();
            let function = json!({ "name": name, "arguments": arguments });
            json!({ "index": index, "id": format!("call_{number}"), "type": "function", "function": function })
        })
        .collect()
}

fn texts(family: char, word: &str) -> Vec<Value> {
    let pieces = if family == STREAMED { 60 } else { 1 };
    (0..pieces).map(|piece| json!({ "content": format!("{word} part {piece}. ") })).collect()
}

fn frame(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice] })
    )
}

fn usage() -> String {
    let usage = json!({ "prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17 });
    format!(
        "data: {}\n\n",
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage })
    )
}
