//! Requests to addresses that users name: webhooks, tools.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use thiserror::Error;

/// What is asked of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboundMethod {
    /// Read something.
    Get,
    /// Read the head alone.
    Head,
    /// Send something.
    Post,
    /// Put something in place of what is there.
    Put,
    /// Change a part.
    Patch,
    /// Remove something.
    Delete,
}

/// One request to an address that a user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundRequest {
    /// What is asked.
    pub method: OutboundMethod,
    /// The absolute address. It is judged anew at each request, as what its name means may have changed.
    pub url: String,
    /// Names and values. Host, length, connection and the user agent are not the caller's to set.
    pub headers: Vec<(String, String)>,
    /// Sent as it is; empty for none.
    pub body: Bytes,
    /// For the whole exchange: looking up the name, connecting, sending, reading the whole answer.
    pub time_limit: Duration,
    /// Bytes of the answer's body at most.
    pub max_response_bytes: usize,
}

impl OutboundRequest {
    /// A body's limit unless the caller has a smaller one: 10 MiB.
    pub const MAX_RESPONSE_BYTES: usize = 10 * 1024 * 1024;
}

/// An answer of any status. Redirects are answers like any other: nobody follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundResponse {
    /// The status, 200 to 599.
    pub status: u16,
    /// Names in lower case, and values; bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The whole body, as it came.
    pub body: Bytes,
}

impl OutboundResponse {
    /// The first value of a header, whose name is in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer. The texts may be shown to the user who named the address: they tell nothing of the network
/// behind it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OutboundError {
    /// The address is none, or none that this installation calls. Which rule says so stands in the log alone.
    #[error("the address is not allowed")]
    Denied,
    /// The request has a header that cannot be sent.
    #[error("the request cannot be sent: {0}")]
    InvalidRequest(String),
    /// The exchange did not end within its time.
    #[error("there was no whole answer in time")]
    Timeout,
    /// No connection, or none that can be trusted: an unknown name, a refused connection, a bad certificate. Nothing
    /// was sent.
    #[error("the connection failed: {0}")]
    Connect(String),
    /// The connection ended, or spoke something else than HTTP, before the answer was whole. The request may have
    /// arrived.
    #[error("the connection broke: {0}")]
    Broken(String),
    /// The body of the answer is larger than the request allows; its head came.
    #[error("the answer (status {status}) is larger than {limit} bytes")]
    TooLarge {
        /// The answer's status.
        status: u16,
        /// The limit of the request, in bytes.
        limit: usize,
    },
}

impl OutboundError {
    /// A stable name for events, delivery logs and metrics.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Denied => "egress_denied",
            Self::InvalidRequest(_) => "egress_invalid_request",
            Self::Timeout => "egress_timeout",
            Self::Connect(_) => "egress_connect_failed",
            Self::Broken(_) => "egress_broken",
            Self::TooLarge { .. } => "egress_too_large",
        }
    }
}

/// The one way to addresses that users name. It keeps requests away from the installation's own network: loopback,
/// private and link-local addresses, metadata services, whatever name or notation hides them.
#[async_trait]
pub trait Outbound: Send + Sync {
    /// Judges an address that is to be kept for later, without any look-up: form, scheme, port, user information, and
    /// addresses written as numbers. What a name means is judged at each request.
    ///
    /// # Errors
    /// [`OutboundError::Denied`].
    fn check_url(&self, url: &str) -> Result<(), OutboundError>;

    /// Sends a request and reads the whole answer. Redirects are not followed, proxies of the environment not used.
    /// Dropping the future closes the connection.
    ///
    /// # Errors
    /// See [`OutboundError`]; an answer of any status is none.
    async fn send(&self, request: OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}
