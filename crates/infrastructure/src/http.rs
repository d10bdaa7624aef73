//! The one place where HTTP clients are built, and bounded exchanges over them.
//!
//! Upstreams over TLS or a proxy get a general client, built on its first use, because loading the system's
//! certificates costs start-up time that an installation without a provider should not pay. Upstreams on plain HTTP
//! get one that holds next to nothing for a call that waits. All exchanges speak HTTP/1.1: thousands of long calls
//! over one HTTP/2 connection would wait for the server's limit of streams, and dropping a call must close its
//! connection. No redirect is followed: it would carry the key elsewhere.

mod failure;
mod general;
mod plain;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use tokio::time::{Instant, timeout_at};

pub use failure::HttpFailure;
pub(crate) use failure::io_reason;
use general::GeneralClient;
use plain::{PlainBody, PlainClient};

use crate::egress::OperatorUrl;

pub(crate) const USER_AGENT: &str = concat!("crewd/", env!("CARGO_PKG_VERSION"));
/// Connections that wait for their next call, per upstream; a burst of calls should not connect anew each time.
const IDLE_CONNECTIONS: usize = 4096;
/// How long a connection waits for its next call; shorter than the servers' usual minute.
const IDLE_CONNECTION_TIME: Duration = Duration::from_secs(30);

/// Bounds of every exchange of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the start until the first byte of the body.
    pub first_byte: Duration,
    /// Between two reads of the body.
    pub idle: Duration,
    /// Bytes of a body at most.
    pub response_bytes: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            response_bytes: 16 * 1024 * 1024,
        }
    }
}

/// A client of one upstream. Clones share its connections.
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    limits: HttpLimits,
    transport: Transport,
}

enum Transport {
    Plain(PlainClient),
    General(GeneralClient),
}

impl HttpClient {
    /// A client that posts to `url`. Nothing is built or connected yet.
    #[must_use]
    pub fn new(url: OperatorUrl, limits: HttpLimits) -> Self {
        let url = url.into_url();
        let transport = if is_direct(&url) {
            Transport::Plain(PlainClient::new(&url, limits))
        } else {
            Transport::General(GeneralClient::new(url, limits))
        };
        Self { inner: Arc::new(Inner { limits, transport }) }
    }

    /// A client that takes the general way also where there is a shorter one, so that tests can compare both.
    #[cfg(test)]
    pub(crate) fn general(url: OperatorUrl, limits: HttpLimits) -> Self {
        let transport = Transport::General(GeneralClient::new(url.into_url(), limits));
        Self { inner: Arc::new(Inner { limits, transport }) }
    }

    /// Posts a body and waits for the head of the answer, until `deadline` at the latest. `first_byte` overrides the
    /// client's limit for an upstream that says nothing until all is done.
    ///
    /// # Errors
    /// Whatever keeps the head of an answer from coming; an answer of any status is none.
    pub async fn post(
        &self,
        headers: HeaderMap,
        body: String,
        deadline: Instant,
        first_byte: Option<Duration>,
    ) -> Result<HttpResponse, HttpFailure> {
        let limits = self.inner.limits;
        let wait = first_byte.unwrap_or(limits.first_byte);
        let next_by = Instant::now().checked_add(wait).map_or(deadline, |at| at.min(deadline));
        let exchange = timeout_at(next_by, self.inner.transport.post(headers, body)).await;
        let (status, headers, body) = exchange.unwrap_or_else(|_| Err(HttpFailure::late(next_by == deadline, wait)))?;
        Ok(HttpResponse { status, headers, body, limits, deadline, next_by, wait, received: 0 })
    }
}

impl Transport {
    async fn post(&self, headers: HeaderMap, body: String) -> Result<(StatusCode, HeaderMap, Body), HttpFailure> {
        match self {
            Self::Plain(client) => {
                let (status, headers, body) = client.post(headers, body).await?;
                Ok((status, headers, Body::Plain(body)))
            }
            Self::General(client) => {
                // Its states are large, and they are gone before the body is read.
                let mut response = Box::pin(client.post(headers, body)).await?;
                let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
                Ok((status, headers, Body::General(Box::new(response))))
            }
        }
    }
}

/// Whether neither TLS nor a proxy stands between. Nothing does between a program and its own machine.
fn is_direct(url: &Url) -> bool {
    if url.scheme() != "http" {
        return false;
    }
    let host = url.host_str().unwrap_or_default();
    let loopback = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback || host == "localhost" || url.as_str().parse().is_ok_and(|uri| Matcher::from_env().intercept(&uri).is_none())
}

/// An answer whose head has come. Dropping it before its end closes the connection.
pub struct HttpResponse {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
    limits: HttpLimits,
    deadline: Instant,
    next_by: Instant,
    wait: Duration,
    received: usize,
}

enum Body {
    Plain(PlainBody),
    General(Box<reqwest::Response>),
}

impl Body {
    async fn chunk(&mut self) -> Result<Option<Bytes>, HttpFailure> {
        match self {
            Self::Plain(body) => body.chunk().await,
            Self::General(response) => response.chunk().await.map_err(|error| HttpFailure::Broken(failure::reason(&error))),
        }
    }
}

impl HttpResponse {
    /// Its status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Its headers.
    #[must_use]
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether something of the body has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.received > 0
    }

    /// Waits no longer than `wait` for each further piece of the body.
    pub fn shorten_idle(&mut self, wait: Duration) {
        self.limits.idle = self.limits.idle.min(wait);
        self.expect_next();
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// The body broke off, was late, or is larger than allowed.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpFailure> {
        let read = timeout_at(self.next_by, self.body.chunk()).await;
        let read = read.unwrap_or_else(|_| Err(HttpFailure::late(self.next_by == self.deadline, self.wait)));
        let Some(chunk) = read? else { return Ok(None) };
        self.received = self.received.saturating_add(chunk.len());
        if self.received > self.limits.response_bytes {
            return Err(HttpFailure::TooLarge(self.limits.response_bytes));
        }
        self.expect_next();
        Ok(Some(chunk))
    }

    /// The rest of the body.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub async fn rest(&mut self) -> Result<Bytes, HttpFailure> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut whole = BytesMut::from(&first[..]);
        whole.extend_from_slice(&second);
        while let Some(more) = self.chunk().await? {
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }

    /// As much of the body as comes, up to about `limit` bytes; for the bodies of errors.
    pub async fn beginning(&mut self, limit: usize) -> Bytes {
        let mut whole = BytesMut::new();
        while whole.len() < limit {
            match self.chunk().await {
                Ok(Some(chunk)) => whole.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        whole.truncate(limit);
        whole.freeze()
    }

    /// Leaves the connection to the next call. What is still to come is read in the background, at most for a second.
    pub fn recycle(mut self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        if let Body::Plain(body) = &mut self.body
            && body.is_over()
        {
            return self.finish();
        }
        tokio::spawn(async move {
            let by = Instant::now() + PATIENCE;
            loop {
                match timeout_at(by, self.chunk()).await {
                    Ok(Ok(Some(_))) => {}
                    Ok(Ok(None)) => return self.finish(),
                    Ok(Err(_)) | Err(_) => return,
                }
            }
        });
    }

    /// The general client takes its connection back by itself.
    fn finish(self) {
        if let Body::Plain(body) = self.body {
            body.finish();
        }
    }

    fn expect_next(&mut self) {
        self.wait = self.limits.idle;
        self.next_by = Instant::now().checked_add(self.wait).map_or(self.deadline, |at| at.min(self.deadline));
    }
}
