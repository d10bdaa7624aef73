//! A receiver of webhooks: verifies with the published library, refuses some first attempts, and remembers all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use crewd_tests::runtime::runtime;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::dice::Dice;

/// A message as it came, all its attempts together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    /// Bodies of its attempts.
    pub(crate) bodies: Vec<Bytes>,
    /// Attempts whose signature is not that of the secret.
    pub(crate) forged: usize,
    /// Attempts that were answered with 204.
    pub(crate) taken: usize,
}

impl Message {
    /// Task, number in its log, and what is told.
    pub(crate) fn facts(&self) -> (String, u64, String) {
        let body: Value = self.bodies.first().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&body["data"]["task_id"]), body["data"]["seq"].as_u64().unwrap_or_default(), text(&body["type"]))
    }
}

#[derive(Default)]
struct Shared {
    seed: u64,
    secret: RwLock<Option<Webhook>>,
    messages: Mutex<BTreeMap<String, Message>>,
}

/// The receiver. Dropping it closes its port.
pub(crate) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl Receiver {
    /// Starts it on a free port; it refuses everything until it knows the secret.
    pub(crate) async fn start(seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("the port is known").port();
        let shared = Arc::new(Shared { seed, ..Shared::default() });
        let router = Router::new().route("/hooks", post(receive)).with_state(Arc::clone(&shared));
        let server = runtime().spawn(async move { axum::serve(listener, router).await.expect("the receiver serves") });
        Self { port, shared, server }
    }

    /// Where to send to.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port)
    }

    /// Tells it the secret.
    pub(crate) fn expect(&self, secret: &str) {
        let webhook = Webhook::new(secret).expect("the secret has the published form");
        *self.shared.secret.write().unwrap_or_else(PoisonError::into_inner) = Some(webhook);
    }

    /// Messages by their id.
    pub(crate) fn messages(&self) -> BTreeMap<String, Message> {
        self.shared.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let id = headers.get("webhook-id").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let genuine = {
        let secret = shared.secret.read().unwrap_or_else(PoisonError::into_inner);
        secret.as_ref().is_some_and(|secret| secret.verify(&body, &headers).is_ok())
    };
    let mut dice = Dice::new(shared.seed, &format!("receiver {id}"));
    let refuses = dice.percent(20);
    tokio::time::sleep(dice.pause(0..400)).await;
    let mut messages = shared.messages.lock().unwrap_or_else(PoisonError::into_inner);
    let message = messages.entry(id).or_default();
    message.bodies.push(body);
    message.forged += usize::from(!genuine);
    if refuses && message.bodies.len() == 1 {
        // With a wish: the schedule's own pauses grow to minutes, and a death before it counts as an attempt, too.
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "2")]).into_response();
    }
    message.taken += 1;
    StatusCode::NO_CONTENT.into_response()
}
