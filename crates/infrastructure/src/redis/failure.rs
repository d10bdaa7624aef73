//! What goes wrong with Redis, in words that are safe to show.

use redis::{ErrorKind, RedisError};
use thiserror::Error;

use crate::queue::hints::TransportError;

const NO_ANSWER: &str = "it does not answer in time";

/// Redis cannot be used now. Shown is the reason alone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub(super) struct Away {
    reason: String,
    /// What the driver said, for the log of the operator: it may name hosts, never a password.
    pub(super) detail: String,
}

impl Away {
    pub(super) fn new(reason: &str) -> Self {
        Self { reason: reason.to_owned(), detail: String::new() }
    }

    pub(super) fn no_answer() -> Self {
        Self::new(NO_ANSWER)
    }
}

impl From<&RedisError> for Away {
    fn from(error: &RedisError) -> Self {
        Self { reason: reason(error), detail: error.to_string() }
    }
}

fn reason(error: &RedisError) -> String {
    let code = error.code().unwrap_or_default();
    let known = match code {
        _ if error.kind() == ErrorKind::AuthenticationFailed => "it does not accept the user or the password (APP_REDIS_URL)",
        "WRONGPASS" | "NOAUTH" => "it does not accept the user or the password (APP_REDIS_URL)",
        "READONLY" => "it is a read-only replica",
        "LOADING" => "it is loading its data",
        "NOPERM" => "its user lacks a right that crewd needs",
        _ if error.is_timeout() => NO_ANSWER,
        _ if error.is_connection_refusal() => "it refuses connections",
        _ if is_about_trust(error) => "its certificate is not trusted, or it speaks no TLS",
        "" if error.is_io_error() => "it cannot be reached",
        "" => return format!("it answers in an unknown way ({})", error.category()),
        code => return format!("it answers with an error ({code})"),
    };
    known.to_owned()
}

/// What TLS does not like comes as bad data.
fn is_about_trust(error: &RedisError) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::InvalidData)
}

impl From<Away> for TransportError {
    fn from(away: Away) -> Self {
        Self(away.reason)
    }
}
