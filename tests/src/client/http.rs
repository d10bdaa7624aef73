//! Requests and answers.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::answer::Answer;
use super::sse::SseReader;
use super::task::Task;
use super::ws::WsReader;
use crate::errors::check_shape;
use crate::runtime::SOON;

/// A client of one address, with or without a key.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

/// What to submit beside crew and inputs.
#[derive(Clone, Debug, Default)]
pub struct Submit {
    /// More fields of the body.
    pub fields: Vec<(&'static str, Value)>,
    /// More headers.
    pub headers: Vec<(&'static str, String)>,
}

/// An HTTP client that follows no redirect and uses no proxy.
#[expect(clippy::disallowed_methods, reason = "tests have no access to the product's only place that builds clients")]
pub(crate) fn plain_http() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    builder.timeout(Duration::from_secs(90)).build().expect("a client can be built")
}

impl Client {
    /// A client of `base` without a key.
    pub fn new(base: &str) -> Self {
        Self { http: plain_http(), base: base.to_owned(), key: None }
    }

    /// The same client with this key.
    #[must_use]
    pub fn with_key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// A request to be completed by the caller; the key is in it.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    /// Sends it, reads it whole and checks the error contract.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let method = request.method().to_string();
        let path = request.url().path().to_owned() + &request.url().query().map(|query| format!("?{query}")).unwrap_or_default();
        let response = self.http.execute(request).await.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"));
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap_or_else(|error| panic!("body of {method} {path}: {error:?}"));
        let answer = Answer { method, path, status, headers, text };
        let is_head = answer.method == "HEAD";
        if status >= 300 && status != 304 && !is_head {
            check_shape(&answer);
        }
        answer
    }

    /// Status of a GET whose failure to connect is an answer, too.
    pub async fn try_status(&self, path: &str) -> Option<u16> {
        self.http.get(format!("{}{path}", self.base)).send().await.ok().map(|response| response.status().as_u16())
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request("POST", path).json(body)).await
    }

    /// A body of any content type.
    pub async fn send_text(&self, method: &str, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        self.send(self.request(method, path).header("content-type", content_type).body(body)).await
    }

    /// `POST /tasks` and the raw answer.
    pub async fn submit_answer(&self, crew: &str, inputs: &Value, more: &Submit) -> Answer {
        let mut body = json!({ "crew": crew, "inputs": inputs });
        for (name, value) in &more.fields {
            body[*name] = value.clone();
        }
        let mut request = self.request("POST", "/api/v1/tasks").json(&body);
        for (name, value) in &more.headers {
            request = request.header(*name, value);
        }
        self.send(request).await
    }

    /// Submits a crew; panics unless it is accepted.
    pub async fn submit(&self, crew: &str, inputs: &Value) -> Task {
        Task(self.submit_answer(crew, inputs, &Submit::default()).await.expect(202).json())
    }

    /// Submits a crew and waits for its end.
    pub async fn run_crew(&self, crew: &str, inputs: &Value) -> Task {
        let task = self.submit(crew, inputs).await;
        self.wait_terminal(task.id()).await
    }

    /// The task as it stands.
    pub async fn task(&self, id: &str) -> Task {
        Task(self.get(&format!("/api/v1/tasks/{id}")).await.expect(200).json())
    }

    /// Long-polls until the task is terminal; panics after a minute.
    pub async fn wait_terminal(&self, id: &str) -> Task {
        let started = Instant::now();
        loop {
            let task = Task(self.get(&format!("/api/v1/tasks/{id}?wait=20")).await.expect(200).json());
            if task.is_terminal() {
                return task;
            }
            assert!(started.elapsed() < 2 * SOON, "no end of task {id}: {}", task.0);
        }
    }

    /// Waits until the task shows this status.
    pub async fn wait_status(&self, id: &str, status: &str) -> Task {
        crate::runtime::eventually(&format!("task {id} is {status}"), SOON, async || {
            let task = self.task(id).await;
            assert!(!task.is_terminal() || task.status() == status, "ended otherwise: {}", task.0);
            (task.status() == status).then_some(task)
        })
        .await
    }

    /// One page of the task list.
    pub async fn list(&self, query: &str) -> Value {
        self.get(&format!("/api/v1/tasks?{query}")).await.expect(200).json()
    }

    /// The journal as the API shows it.
    pub async fn steps(&self, id: &str) -> Value {
        self.get(&format!("/api/v1/tasks/{id}/steps")).await.expect(200).json()
    }

    /// All events after `after`, over every page.
    pub async fn events(&self, id: &str, after: u64) -> Vec<Value> {
        let mut events = Vec::new();
        let mut from = after;
        loop {
            let page = self.events_page(id, &format!("after={from}&limit=200")).await;
            let items = page["items"].as_array().cloned().unwrap_or_else(|| panic!("no `items`: {page}"));
            let Some(last) = items.last().and_then(|event| event["seq"].as_u64()) else { return events };
            events.extend(items);
            from = last;
        }
    }

    /// One page of events as the API gives it.
    pub async fn events_page(&self, id: &str, query: &str) -> Value {
        let request = self.request("GET", &format!("/api/v1/tasks/{id}/events?{query}")).header("accept", "application/json");
        self.send(request).await.expect(200).json()
    }

    /// Cancels with this mode; gives the answer.
    pub async fn cancel(&self, id: &str, mode: &str) -> Answer {
        self.post(&format!("/api/v1/tasks/{id}/cancel"), &json!({ "mode": mode, "reason": "a test says so" })).await
    }

    /// Opens the event stream. `query` such as `after=3`, `last_event_id` as the header.
    pub async fn sse(&self, id: &str, query: &str, last_event_id: Option<&str>) -> SseReader {
        let mut request =
            self.request("GET", &format!("/api/v1/tasks/{id}/events?{query}")).header("accept", "text/event-stream");
        if let Some(last) = last_event_id {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.expect("the stream answers");
        assert_eq!(response.status().as_u16(), 200, "stream of {id}: {:?}", response.headers());
        SseReader::new(response)
    }

    /// Opens the WebSocket. `query` such as `after=3`.
    pub async fn ws(&self, id: &str, query: &str) -> WsReader {
        let url = format!("{}/api/v1/tasks/{id}/ws?{query}", self.base.replacen("http://", "ws://", 1));
        WsReader::connect(&url, self.key.as_deref()).await
    }

    /// The address this client speaks to.
    pub fn base(&self) -> &str {
        &self.base
    }
}
