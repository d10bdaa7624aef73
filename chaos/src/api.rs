//! A client that outlives the servers: it asks another one when the one it spoke to is gone.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::dice::Dice;

/// How long one request is tried again before the harness gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of all servers of an installation.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    bases: Arc<RwLock<Vec<String>>>,
    dice: Arc<Mutex<Dice>>,
}

/// Status and body of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Body as text.
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Box<RawValue>>,
}

impl Api {
    /// A client without servers yet.
    #[expect(clippy::disallowed_methods, reason = "the harness has no access to the product's only place that builds clients")]
    pub(crate) fn new(seed: u64) -> Self {
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = builder.connect_timeout(Duration::from_secs(2)).build().expect("a client can be built");
        Self { http, bases: Arc::default(), dice: Arc::new(Mutex::new(Dice::new(seed, "api"))) }
    }

    /// The addresses that answer now.
    pub(crate) fn set_bases(&self, bases: Vec<String>) {
        *self.bases.write().unwrap_or_else(PoisonError::into_inner) = bases;
    }

    /// One of the addresses; none while no server lives.
    pub(crate) fn base(&self) -> Option<String> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        (!bases.is_empty()).then(|| dice.pick(&bases).clone())
    }

    /// A request to an address.
    pub(crate) fn request(&self, method: &str, base: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        self.http.request(method, format!("{base}{path}"))
    }

    /// One attempt at one server; none without an answer.
    pub(crate) async fn once(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Option<Answer> {
        let base = self.base()?;
        let mut request = self.request(method, &base, path).timeout(Duration::from_secs(30));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some(Answer { status, text: response.text().await.ok()? })
    }

    /// Asks until somebody answers with something else than "later" (429, 503, 507).
    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Answer {
        let started = Instant::now();
        loop {
            let answer = self.once(method, path, headers, body).await;
            match answer {
                Some(answer) if !matches!(answer.status, 429 | 503 | 507) => return answer,
                last => assert!(started.elapsed() < PATIENCE, "no answer to {method} {path} in {PATIENCE:?}: {last:?}"),
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }

    /// Submits a crew with a key, as often as it takes; the id of the task.
    pub(crate) async fn submit(&self, crew: &str, marker: &str) -> String {
        let body = json!({ "crew": crew, "inputs": { "topic": marker } });
        let answer = self.call("POST", "/api/v1/tasks", &[("idempotency-key", &format!("key-{marker}"))], Some(&body)).await;
        assert_eq!(answer.status, 202, "submit of {marker}: {}", answer.text);
        answer.json()["id"].as_str().unwrap_or_default().to_owned()
    }

    /// A JSON body that must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.call("GET", path, &[], None).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text);
        answer.json()
    }

    /// The task.
    pub(crate) async fn task(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/tasks/{id}")).await
    }

    /// A page of the log, each event as the text that was sent.
    pub(crate) async fn page(&self, id: &str, after: u64) -> Vec<String> {
        let path = format!("/api/v1/tasks/{id}/events?after={after}&limit=200");
        let answer = self.call("GET", &path, &[("accept", "application/json")], None).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.text);
        items(&answer.text).unwrap_or_else(|| panic!("no page: {}", answer.text))
    }

    /// The whole log by pages.
    pub(crate) async fn log(&self, id: &str) -> Vec<String> {
        let mut log = Vec::new();
        loop {
            let page = self.page(id, u64::try_from(log.len()).unwrap_or(u64::MAX)).await;
            if page.is_empty() {
                return log;
            }
            log.extend(page);
        }
    }
}

/// The items of a page, each as it was written.
pub(crate) fn items(page: &str) -> Option<Vec<String>> {
    let page: Page = serde_json::from_str(page).ok()?;
    Some(page.items.iter().map(|item| item.get().to_owned()).collect())
}

/// Whether a status is final.
pub(crate) fn is_terminal(status: &str) -> bool {
    ["succeeded", "incomplete", "failed", "cancelled", "rejected"].contains(&status)
}
