//! The sockets of the scripted model.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::stream;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::record::{AnswerGuard, Log, Recorded};
use super::request::ChatRequest;
use super::scenario::{Reply, Scenario};
use super::wire::{WireAnswer, WireStep};
use crate::runtime::runtime;

/// A model server on a free port of the loopback address. Dropping it closes the port.
#[derive(Debug)]
pub struct FakeLlm {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    log: Arc<Log>,
    scenarios: Mutex<Vec<Arc<Scenario>>>,
}

impl FakeLlm {
    /// Starts a server that answers by default until a scenario says otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port is known");
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&shared));
        let server = runtime().spawn(async move { axum::serve(listener, router).await.expect("the fake model serves") });
        Self { address, shared, server }
    }

    /// Base URL for `APP_LLM_BASE_URL`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// A script for requests whose messages contain `marker`.
    pub fn scenario(&self, marker: &str) -> Arc<Scenario> {
        let scenario = Scenario::new(marker, Arc::clone(&self.shared.log));
        self.shared.scenarios.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&scenario));
        scenario
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.log.requests()
    }

    /// Requests being answered now.
    pub fn in_flight(&self) -> usize {
        self.shared.log.in_flight()
    }

    /// The most requests that were being answered at once.
    pub fn most_in_flight(&self) -> usize {
        self.shared.log.most_in_flight()
    }
}

impl Drop for FakeLlm {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn models() -> axum::Json<serde_json::Value> {
    axum::Json(
        serde_json::json!({ "object": "list", "data": [{ "id": "fake-model", "object": "model", "created": 1, "owned_by": "tests" }] }),
    )
}

async fn chat(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let request = ChatRequest(serde_json::from_slice(&body).unwrap_or_default());
    let scenario = {
        let scenarios = shared.scenarios.lock().unwrap_or_else(PoisonError::into_inner);
        scenarios.iter().rev().find(|scenario| scenario.matches(&request)).cloned()
    };
    let reply = scenario.map_or(Reply::Default, |scenario| scenario.reply(&request));
    let guard = shared.log.begin(headers, request.clone());
    let number = shared.log.requests().len();
    write(reply.wire(&request, number), guard).await
}

/// Waits what is to be waited, then sends the headers, then streams the rest.
async fn write(answer: WireAnswer, guard: AnswerGuard) -> Response<Body> {
    for step in answer.before {
        match step {
            WireStep::Pause(pause) => tokio::time::sleep(pause).await,
            WireStep::Hold(gate) => gate.passed().await,
            WireStep::Send(_) | WireStep::Endless(_) | WireStep::Abort => unreachable!("nothing is sent before the headers"),
        }
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from_stream(written(answer.steps.into(), guard))).expect("a response")
}

fn written(steps: VecDeque<WireStep>, guard: AnswerGuard) -> impl futures::Stream<Item = io::Result<Bytes>> {
    stream::unfold((steps, guard), async |(mut steps, mut guard)| {
        loop {
            match steps.pop_front() {
                None => {
                    guard.complete();
                    return None;
                }
                Some(WireStep::Pause(pause)) => tokio::time::sleep(pause).await,
                Some(WireStep::Hold(gate)) => gate.passed().await,
                Some(WireStep::Endless(bytes)) => {
                    steps.push_front(WireStep::Endless(bytes.clone()));
                    tokio::task::yield_now().await;
                    return Some((Ok(bytes), (steps, guard)));
                }
                Some(WireStep::Abort) => {
                    guard.complete();
                    // Lets what was sent before leave the buffers; a connection cut too soon takes it along.
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    return Some((Err(io::Error::other("cut by the script")), (steps, guard)));
                }
                Some(WireStep::Send(bytes)) => {
                    // The client may close as soon as it has the last piece: that is not early.
                    if steps.is_empty() {
                        guard.complete();
                    }
                    return Some((Ok(bytes), (steps, guard)));
                }
            }
        }
    })
}
