//! The sockets.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::record::{Entry, Record, Writing};
use crate::runtime::runtime;

/// A ledger on a free port of the loopback address. Dropping it closes the port.
#[derive(Debug)]
pub struct Ledger {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    record: Arc<Record>,
    scripts: Mutex<Vec<(String, Arc<Script>)>>,
}

/// Answers for the requests of one path.
#[derive(Debug, Default)]
pub struct Script {
    next: Mutex<VecDeque<Answer>>,
    standing: Mutex<Option<Answer>>,
}

impl Script {
    /// Answers one further request like this, in the order of the calls.
    pub fn then(&self, answer: Answer) -> &Self {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).push_back(answer);
        self
    }

    /// Answers like this once all others were given.
    pub fn always(&self, answer: Answer) -> &Self {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self
    }

    fn take(&self) -> Option<Answer> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.or_else(|| self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Ledger {
    /// Starts a server that answers 200 and `done` until a script says otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port is known");
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let server = runtime().spawn(async move { axum::serve(listener, router).await.expect("the ledger serves") });
        Self { address, shared, server }
    }

    /// The address of a path such as `/keyed/pay`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The script of all paths that begin like this; of several that fit, the one made last counts.
    pub fn script(&self, path: &str) -> Arc<Script> {
        let script = Arc::new(Script::default());
        self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), Arc::clone(&script)));
        script
    }

    /// All requests below a path, in the order they came, effect or not.
    pub fn entries(&self, path: &str) -> Vec<Entry> {
        self.shared.record.entries().into_iter().filter(|entry| entry.path.starts_with(path)).collect()
    }

    /// The requests below a path that had an effect.
    pub fn effects(&self, path: &str) -> Vec<Entry> {
        self.entries(path).into_iter().filter(Entry::had_effect).collect()
    }

    /// How many effects each key had below a path; effects without a key count under the empty text.
    pub fn effects_by_key(&self, path: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.effects(path) {
            *counts.entry(entry.key.unwrap_or_default()).or_default() += 1;
        }
        counts
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let text = String::from_utf8_lossy(&body).into_owned();
    let writing = shared.record.begin(method.to_string(), path.clone(), headers, text);
    let scripted = {
        let scripts = shared.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.iter().rev().find(|(prefix, _)| path.starts_with(prefix.as_str())).and_then(|(_, script)| script.take())
    };
    let answer = scripted.or_else(|| known(&shared.record, &path, &writing)).unwrap_or_else(|| Answer::ok("done"));
    let only_reads = method == Method::GET || method == Method::HEAD;
    give(answer, writing, only_reads).await
}

/// Answers that follow from what happened before.
fn known(record: &Record, path: &str, writing: &Writing) -> Option<Answer> {
    if let Some(key) = path.strip_prefix("/done/") {
        let found = record.answer_of(key.split('?').next().unwrap_or(key));
        return Some(found.map_or_else(|| Answer::status(404, "no such effect"), |(_, body)| Answer::ok(&body)));
    }
    let key = writing.entry.key.as_deref().filter(|_| path.starts_with("/keyed/"))?;
    record.answer_of(key).map(|(status, body)| Answer::status(status, &body).without_effect())
}

async fn give(answer: Answer, mut writing: Writing, only_reads: bool) -> Response<Body> {
    for wait in &answer.before {
        wait.pass().await;
    }
    if answer.effect && !only_reads {
        let once = writing.entry.path.starts_with("/keyed/");
        writing.happen(answer.status, &answer.body, once);
    }
    for wait in &answer.after {
        wait.pass().await;
    }
    writing.complete();
    if answer.drops {
        // Ends the task of the connection without a report: nothing is answered, the socket closes.
        std::panic::resume_unwind(Box::new("cut by the script"));
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).expect("a response")
}
