//! The one place where HTTP clients are built, and bounded exchanges over them.
//!
//! A client is built on its first use, because loading the system's certificates costs start-up time that an
//! installation without a provider should not pay. All exchanges speak HTTP/1.1: thousands of long calls over one
//! HTTP/2 connection would wait for the server's limit of streams, and dropping a call must close its connection.

mod failure;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderMap;
use reqwest::{Body, Client, StatusCode, Url, redirect};
use tokio::time::{Instant, timeout_at};

pub use failure::HttpFailure;

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
    url: Url,
    limits: HttpLimits,
    client: OnceLock<Client>,
}

impl HttpClient {
    /// A client that posts to `url`. Nothing is built or connected yet.
    #[must_use]
    pub fn new(url: Url, limits: HttpLimits) -> Self {
        Self { inner: Arc::new(Inner { url, limits, client: OnceLock::new() }) }
    }

    /// The limits of its exchanges.
    #[must_use]
    pub fn limits(&self) -> HttpLimits {
        self.inner.limits
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
        let client = self.client()?;
        let first_byte = first_byte.unwrap_or(self.inner.limits.first_byte);
        let first_byte_by = Instant::now().checked_add(first_byte).map_or(deadline, |at| at.min(deadline));
        // `Body::wrap` is a body that cannot be cloned, so that it is freed once it is sent, not once it is answered.
        let sending = client.post(self.inner.url.clone()).headers(headers).body(Body::wrap(body)).send();
        let response = match timeout_at(first_byte_by, sending).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(failure::of_request(&error, self.inner.limits.connect)),
            Err(_) => return Err(HttpFailure::late(first_byte_by == deadline, first_byte)),
        };
        Ok(HttpResponse { response, limits: self.inner.limits, deadline, next_by: first_byte_by, wait: first_byte, received: 0 })
    }

    fn client(&self) -> Result<&Client, HttpFailure> {
        if let Some(client) = self.inner.client.get() {
            return Ok(client);
        }
        let built = build(&self.inner.url, self.inner.limits.connect)?;
        // Two first calls at once may both build; one of the two clients wins.
        Ok(self.inner.client.get_or_init(|| built))
    }

    #[cfg(test)]
    fn is_built(&self) -> bool {
        self.inner.client.get().is_some()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place where clients are built")]
fn build(url: &Url, connect: Duration) -> Result<Client, HttpFailure> {
    let mut builder = Client::builder()
        .user_agent(concat!("crewd/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect)
        .redirect(redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true)
        .http1_only()
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_CONNECTION_TIME);
    if is_local(url) {
        // No proxy and no certificates stand between a program and its own machine.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    builder.build().map_err(|error| HttpFailure::Setup(failure::root_cause(&error)))
}

fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let loopback = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "http" && (loopback || host == "localhost")
}

/// An answer whose head has come. Dropping it before its end closes the connection.
pub struct HttpResponse {
    response: reqwest::Response,
    limits: HttpLimits,
    deadline: Instant,
    next_by: Instant,
    wait: Duration,
    received: usize,
}

impl HttpResponse {
    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
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
        let chunk = match timeout_at(self.next_by, self.response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => return Ok(None),
            Ok(Err(error)) => return Err(HttpFailure::Broken(failure::reason(&error))),
            Err(_) => return Err(HttpFailure::late(self.next_by == self.deadline, self.wait)),
        };
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

    /// Reads what is left in the background, at most for a second, so that the connection can serve the next call.
    pub fn recycle(mut self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        tokio::spawn(async move {
            let by = Instant::now() + PATIENCE;
            while let Ok(Ok(Some(_))) = timeout_at(by, self.chunk()).await {}
        });
    }

    fn expect_next(&mut self) {
        self.wait = self.limits.idle;
        self.next_by = Instant::now().checked_add(self.wait).map_or(self.deadline, |at| at.min(self.deadline));
    }
}
