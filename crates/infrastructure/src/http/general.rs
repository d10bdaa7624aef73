//! The general client, for TLS and proxies.

use std::sync::OnceLock;

use reqwest::header::HeaderMap;
use reqwest::{Body, Client, Url, redirect};

use super::failure::{self, HttpFailure};
use super::{HttpLimits, IDLE_CONNECTION_TIME, IDLE_CONNECTIONS, USER_AGENT};

/// A client that is built on its first use.
pub(super) struct GeneralClient {
    url: Url,
    limits: HttpLimits,
    client: OnceLock<Client>,
}

impl GeneralClient {
    pub(super) const fn new(url: Url, limits: HttpLimits) -> Self {
        Self { url, limits, client: OnceLock::new() }
    }

    /// Posts a body and waits for the head of the answer.
    pub(super) async fn post(&self, headers: HeaderMap, body: String) -> Result<reqwest::Response, HttpFailure> {
        // `Body::wrap` is a body that cannot be cloned, so that it is freed once it is sent, not once it is answered.
        let sending = self.client()?.post(self.url.clone()).headers(headers).body(Body::wrap(body)).send();
        sending.await.map_err(|error| failure::of_request(&error, self.limits.connect))
    }

    fn client(&self) -> Result<&Client, HttpFailure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let built = build(self.limits)?;
        // Two first calls at once may both build; one of the two clients wins.
        Ok(self.client.get_or_init(|| built))
    }

    #[cfg(test)]
    pub(super) fn is_built(&self) -> bool {
        self.client.get().is_some()
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place where clients are built")]
fn build(limits: HttpLimits) -> Result<Client, HttpFailure> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(limits.connect)
        .redirect(redirect::Policy::none())
        .referer(false)
        .tcp_nodelay(true)
        .http1_only()
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .pool_idle_timeout(IDLE_CONNECTION_TIME);
    builder.build().map_err(|error| HttpFailure::Setup(failure::root_cause(&error)))
}
