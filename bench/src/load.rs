//! The client side: one connection per virtual client, nothing shared.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::stats::Sample;

/// One connection to crewd.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    key: Option<&'static str>,
}

impl Client {
    /// Without a key.
    pub(crate) async fn connect(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, key: None })
    }

    /// With a key.
    pub(crate) async fn connect_as(port: u16, key: &'static str) -> anyhow::Result<Self> {
        Ok(Self { key: Some(key), ..Self::connect(port).await? })
    }

    /// Sends a request; the body of the answer is still to come.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        accept: &str,
        body: &Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1")
            .header("accept", accept)
            .header("content-type", "application/json");
        let request = match self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        };
        let request = request.body(Full::new(body.clone()))?;
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }

    /// A whole JSON answer; anything but a success is an error.
    pub(crate) async fn json(&mut self, method: Method, path: &str, body: &Bytes) -> anyhow::Result<Value> {
        let answer = self.send(method, path, "application/json", body).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        anyhow::ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&bytes));
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Submits a task; its id.
    pub(crate) async fn submit(&mut self, body: &Bytes) -> anyhow::Result<String> {
        let task = self.json(Method::POST, "/api/v1/tasks", body).await?;
        Ok(task.get("id").and_then(Value::as_str).context("no id")?.to_owned())
    }

    /// Submits a task and waits for its end in one request.
    pub(crate) async fn run(&mut self, body: &Bytes) -> anyhow::Result<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/tasks")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("prefer", "wait=30")
            .body(Full::new(body.clone()))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        let task: Value = serde_json::from_slice(&answer)?;
        anyhow::ensure!(task.get("status").and_then(Value::as_str) == Some("succeeded"), "the task did not succeed");
        Ok(())
    }

    /// Polls a task to its end; whether it succeeded.
    pub(crate) async fn wait(&mut self, id: &str, pause: Duration) -> anyhow::Result<bool> {
        let path = format!("/api/v1/tasks/{id}");
        loop {
            let task = self.json(Method::GET, &path, &Bytes::new()).await?;
            match task.get("status").and_then(Value::as_str) {
                Some("succeeded") => return Ok(true),
                Some("failed" | "cancelled" | "incomplete" | "rejected") => return Ok(false),
                _ => tokio::time::sleep(pause).await,
            }
        }
    }
}

/// The body that submits a crew.
pub(crate) fn submission(crew: &str) -> Bytes {
    Bytes::from(format!("{{\"crew\":\"{crew}\"}}"))
}

/// Submissions alone, by some clients for a while: durations of each.
pub(crate) async fn submit_for(port: u16, crew: &str, clients: usize, time: Duration) -> anyhow::Result<Sample> {
    let end = Instant::now() + time;
    let work = (0..clients).map(|_| {
        let body = submission(crew);
        tokio::spawn(async move {
            let mut client = Client::connect(port).await?;
            let mut sample = Sample::default();
            while Instant::now() < end {
                let start = Instant::now();
                client.submit(&body).await?;
                sample.add(start.elapsed());
            }
            anyhow::Ok(sample)
        })
    });
    gather(work.collect()).await
}

/// Submits so many tasks a second, whatever the answers take: durations of each.
///
/// A request that was due while its connection still waited counts from when it was due, so that a stall is not
/// hidden by the requests that it held back.
pub(crate) async fn submit_at_rate(port: u16, crew: &str, per_second: u32, time: Duration) -> anyhow::Result<Sample> {
    const CLIENTS: u32 = 64;
    /// The timer's own coarseness.
    const PUNCTUAL: Duration = Duration::from_millis(2);
    let period = Duration::from_secs(1) * CLIENTS / per_second;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::connect(port).await?);
    }
    let begin = Instant::now();
    let work = (0_u32..).zip(clients).map(|(number, mut client)| {
        let body = submission(crew);
        tokio::spawn(async move {
            let mut sample = Sample::default();
            let mut due = begin + period * number / CLIENTS;
            while due < begin + time {
                tokio::time::sleep_until(due.into()).await;
                let now = Instant::now();
                let start = if now.duration_since(due) < PUNCTUAL { now } else { due };
                client.submit(&body).await?;
                sample.add(start.elapsed());
                due += period;
            }
            anyhow::Ok(sample)
        })
    });
    gather(work.collect()).await
}

/// Submits a number of tasks by each of some clients; their ids.
pub(crate) async fn submit_many(port: u16, crew: &str, clients: usize, each: usize) -> anyhow::Result<Vec<String>> {
    let work = (0..clients).map(|_| {
        let body = submission(crew);
        tokio::spawn(async move {
            let mut client = Client::connect(port).await?;
            let mut ids = Vec::with_capacity(each);
            for _ in 0..each {
                ids.push(client.submit(&body).await?);
            }
            anyhow::Ok(ids)
        })
    });
    let mut all = Vec::with_capacity(clients * each);
    for task in work.collect::<Vec<_>>() {
        all.extend(task.await??);
    }
    Ok(all)
}

/// Tasks from submission to end, a number per client: durations of each.
pub(crate) async fn complete(port: u16, crew: &str, clients: usize, each: usize, pause: Duration) -> anyhow::Result<Sample> {
    let work = (0..clients).map(|_| {
        let body = submission(crew);
        tokio::spawn(async move {
            let mut client = Client::connect(port).await?;
            let mut sample = Sample::default();
            for _ in 0..each {
                let start = Instant::now();
                let id = client.submit(&body).await?;
                anyhow::ensure!(client.wait(&id, pause).await?, "a task failed");
                sample.add(start.elapsed());
            }
            anyhow::Ok(sample)
        })
    });
    gather(work.collect()).await
}

async fn gather(tasks: Vec<tokio::task::JoinHandle<anyhow::Result<Sample>>>) -> anyhow::Result<Sample> {
    let mut all = Sample::default();
    for task in tasks {
        all.extend(task.await??);
    }
    Ok(all)
}
