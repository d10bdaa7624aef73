//! A server that sends exactly the bytes it is told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crewd_application::testing::llm::Gate;
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::http::{HttpClient, HttpLimits};
use crate::llm::openai::{OpenAiConfig, OpenAiProvider};

pub(super) const KEY: &str = "sk-test-0123456789abcdef";

/// What the server does with a request, one after another.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Send(Vec<u8>),
    Hold(Gate),
    /// Waits until the client closes the connection.
    AwaitClose,
    Close,
    /// Closes the connection with a reset.
    Reset,
}

#[derive(Clone, Debug)]
pub(super) struct Received {
    /// Request line and headers, in lower case.
    pub(super) head: String,
    pub(super) body: Value,
}

pub(super) struct FakeServer {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    accept: tokio::task::JoinHandle<()>,
}

type Script = dyn Fn(&Received) -> Vec<Act> + Send + Sync;

struct Shared {
    script: Box<Script>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    closed: watch::Sender<usize>,
}

impl FakeServer {
    pub(super) async fn new(script: impl Fn(&Received) -> Vec<Act> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            closed: watch::Sender::new(0),
        });
        let accepting = Arc::clone(&shared);
        let accept = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                accepting.connections.fetch_add(1, Ordering::SeqCst);
                let serving = Arc::clone(&accepting);
                tokio::spawn(async move {
                    serving.serve(socket).await;
                    serving.closed.send_modify(|count| *count += 1);
                });
            }
        });
        Self { address, shared, accept }
    }

    /// A server that does the same with every request.
    pub(super) async fn acting(acts: Vec<Act>) -> Self {
        Self::new(move |_| acts.clone()).await
    }

    /// A server that answers every request with these bytes and closes the connection.
    pub(super) async fn sending(bytes: impl Into<Vec<u8>>) -> Self {
        Self::acting(vec![Act::Send(bytes.into()), Act::Close]).await
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("no panic").clone()
    }

    pub(super) fn count(&self) -> usize {
        self.received().len()
    }

    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until so many connections were closed, by whichever side.
    pub(super) async fn closed(&self, count: usize) {
        self.shared.closed.subscribe().wait_for(|closed| *closed >= count).await.expect("the server lives");
    }

    pub(super) fn config(&self) -> OpenAiConfig {
        let url = format!("http://{}/v1", self.address);
        let limits = HttpLimits { first_byte: Duration::from_secs(20), idle: Duration::from_secs(20), ..HttpLimits::default() };
        OpenAiConfig { api_key: Some(SecretString::from(KEY)), limits, ..OpenAiConfig::new("dashscope", url, "qwen-plus") }
    }

    pub(super) fn provider(&self) -> OpenAiProvider {
        OpenAiProvider::new(self.config()).expect("a good configuration")
    }

    /// Over both of the HTTP clients.
    pub(super) fn providers(&self) -> [OpenAiProvider; 2] {
        both(self.config())
    }
}

/// The same provider over both of the HTTP clients.
pub(super) fn both(config: OpenAiConfig) -> [OpenAiProvider; 2] {
    let general = OpenAiProvider::over(config.clone(), HttpClient::general);
    [OpenAiProvider::new(config), general].map(|provider| provider.expect("a good configuration"))
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl Shared {
    async fn serve(&self, mut socket: TcpStream) {
        while let Some(request) = read_request(&mut socket).await {
            self.received.lock().expect("no panic").push(request.clone());
            for act in (self.script)(&request) {
                match act {
                    Act::Send(bytes) => {
                        if socket.write_all(&bytes).await.is_err() {
                            return;
                        }
                        // Lets the client read each piece by itself.
                        tokio::task::yield_now().await;
                    }
                    Act::Hold(gate) => gate.pass().await,
                    Act::AwaitClose => {
                        let mut rest = Vec::new();
                        let _ = socket.read_to_end(&mut rest).await;
                        return;
                    }
                    Act::Close => return,
                    Act::Reset => {
                        socket.set_zero_linger().expect("a socket option");
                        return;
                    }
                }
            }
        }
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length: usize = head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
            if bytes.len() >= end + 4 + length {
                let body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).expect("a JSON body");
                return Some(Received { head, body });
            }
        }
        let mut buffer = [0; 4096];
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// An answer with a body of known length.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(super) fn json(status: &str, body: &Value) -> Vec<u8> {
    answer(status, "content-type: application/json\r\n", &body.to_string())
}

/// The head of a stream that ends with its connection.
pub(super) fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec()
}

/// A stream that ends with its connection.
pub(super) fn stream(events: &str) -> Vec<u8> {
    [stream_head(), events.as_bytes().to_vec()].concat()
}

/// A stream whose end is told, so that the connection lives on.
pub(super) fn chunked(pieces: &[&str]) -> Vec<Act> {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut acts = vec![Act::Send(head.to_vec())];
    acts.extend(pieces.iter().map(|piece| Act::Send(format!("{:x}\r\n{piece}\r\n", piece.len()).into_bytes())));
    acts.push(Act::Send(b"0\r\n\r\n".to_vec()));
    acts
}

/// One event with a delta and, if it is not empty, a reason to stop.
pub(super) fn delta(delta: &Value, finish: &str) -> String {
    let finish = if finish.is_empty() { Value::Null } else { Value::from(finish) };
    let chunk = serde_json::json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "qwen-plus-latest",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null,
    });
    format!("data: {chunk}\n\n")
}

pub(super) const DONE: &str = "data: [DONE]\n\n";
pub(super) const USAGE: &str = "data: {\"id\":\"chatcmpl-1\",\"model\":\"qwen-plus-latest\",\"choices\":[],\"usage\":\
    {\"prompt_tokens\":11,\"completion_tokens\":7,\"total_tokens\":18,\"prompt_tokens_details\":{\"cached_tokens\":3}}}\n\n";
