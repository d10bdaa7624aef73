//! What goes wrong with Redis, in words that are safe to show.

use redis::{ErrorKind, RedisError};
use thiserror::Error;

use crate::queue::hints::TransportError;

/// Redis cannot be used now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(super) struct Away(pub(super) String);

impl Away {
    pub(super) fn new(reason: &str) -> Self {
        Self(reason.to_owned())
    }

    pub(super) fn no_answer() -> Self {
        Self::new("it does not answer in time")
    }
}

impl From<&RedisError> for Away {
    fn from(error: &RedisError) -> Self {
        let code = error.code().unwrap_or_default();
        if error.kind() == ErrorKind::AuthenticationFailed || ["WRONGPASS", "NOAUTH"].contains(&code) {
            return Self::new("it does not accept the user or the password (APP_REDIS_URL)");
        }
        if error.is_timeout() {
            return Self::no_answer();
        }
        if error.is_connection_refusal() {
            return Self::new("it refuses connections");
        }
        match code {
            "" if error.is_io_error() => Self::new("it cannot be reached"),
            "" => Self(format!("it answers in an unknown way ({})", error.category())),
            "READONLY" => Self::new("it is a read-only replica"),
            "LOADING" => Self::new("it is loading its data"),
            "NOPERM" => Self::new("its user lacks a right that crewd needs"),
            code => Self(format!("it answers with an error ({code})")),
        }
    }
}

impl From<Away> for TransportError {
    fn from(away: Away) -> Self {
        Self(away.0)
    }
}
