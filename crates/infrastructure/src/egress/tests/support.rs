//! The canary, names that stand for it, and requests to it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crewd_application::ports::{Outbound, OutboundError, OutboundMethod, OutboundRequest, OutboundResponse};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::egress::{AllowedDestination, AllowedHost, EgressPolicy, GuardedClient, NameResolver};

pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const NO_CONTENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";

/// A server on loopback that counts its connections and answers each with the same bytes.
pub(super) struct Canary {
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
    pub(super) requests: mpsc::UnboundedReceiver<String>,
}

impl Canary {
    /// Answers with `answer`, then closes.
    pub(super) async fn new(answer: &str) -> Self {
        Self::answering(answer, true).await
    }

    /// Answers with `answer`, and then says nothing more.
    pub(super) async fn hanging(answer: &str) -> Self {
        Self::answering(answer, false).await
    }

    async fn answering(answer: &str, closes: bool) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (sender, requests) = mpsc::unbounded_channel();
        let mut listeners = vec![listener];
        // Where there is IPv6, its loopback is watched, too.
        listeners.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await);
        for listener in listeners {
            let (connections, sender, answer) = (connections.clone(), sender.clone(), answer.to_owned());
            tokio::spawn(async move {
                while let Ok((socket, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(serve(socket, sender.clone(), answer.clone(), closes));
                }
            });
        }
        Self { port, connections, requests }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }
}

async fn serve(mut socket: TcpStream, requests: mpsc::UnboundedSender<String>, answer: String, closes: bool) {
    let mut request = Vec::new();
    // In these tests GET has no body, and POST has `{}`.
    while !request.ends_with(if request.starts_with(b"GET") { &b"\r\n\r\n"[..] } else { b"\r\n\r\n{}" }) {
        if !matches!(socket.read_buf(&mut request).await, Ok(read) if read > 0) {
            return;
        }
    }
    let _ = requests.send(String::from_utf8_lossy(&request).into_owned());
    let _ = socket.write_all(answer.as_bytes()).await;
    if !closes {
        // Until the other side gives up.
        while socket.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
    }
}

/// Answers from a script; without one, every name stands for loopback.
#[derive(Default)]
pub(super) struct ScriptedNames {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    pub(super) asked: AtomicUsize,
}

impl ScriptedNames {
    pub(super) fn of(answers: &[&[&str]]) -> Arc<Self> {
        let address = |text: &&str| text.parse().expect("an address");
        let answers = answers.iter().map(|answer| answer.iter().map(address).collect()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl NameResolver for ScriptedNames {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if name.starts_with("unknown.") {
            return Err(io::ErrorKind::NotFound.into());
        }
        let scripted = self.answers.lock().expect("no panic").pop_front();
        Ok(scripted.unwrap_or_else(|| vec![LOOPBACK, Ipv6Addr::LOCALHOST.into()]))
    }
}

/// A guard with exemptions, over names that all stand for loopback.
pub(super) fn guard(allowed: Vec<AllowedDestination>) -> GuardedClient {
    GuardedClient::with_resolver(EgressPolicy::new(allowed), Arc::new(ScriptedNames::default()))
}

/// A guard that lets everything out to loopback.
pub(super) fn open() -> GuardedClient {
    guard(vec![network("127.0.0.1", 32, None)])
}

pub(super) fn network(address: &str, prefix: u8, port: Option<u16>) -> AllowedDestination {
    AllowedDestination { host: AllowedHost::Network { address: address.parse().expect("an address"), prefix }, port }
}

pub(super) fn name(name: &str, port: Option<u16>) -> AllowedDestination {
    AllowedDestination { host: AllowedHost::Name(name.to_owned()), port }
}

pub(super) fn request(url: &str) -> OutboundRequest {
    OutboundRequest {
        method: OutboundMethod::Post,
        url: url.to_owned(),
        headers: vec![("webhook-id".to_owned(), "msg_1".to_owned())],
        body: Bytes::from_static(b"{}"),
        time_limit: Duration::from_secs(20),
        max_response_bytes: 1024,
    }
}

pub(super) async fn send(guard: &GuardedClient, url: &str) -> Result<OutboundResponse, OutboundError> {
    guard.send(request(url)).await
}
