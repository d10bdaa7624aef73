//! Why an exchange gave no whole answer, in words for people.

use std::error::Error;
use std::io;
use std::iter;
use std::time::Duration;

use thiserror::Error as ThisError;

/// An exchange without a whole answer. The texts complete a sentence that begins with the upstream's name.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum HttpFailure {
    /// The client could not be built.
    #[error("cannot be called: {0}")]
    Setup(String),
    /// Nothing was answered: no connection, or it went away.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// The answer broke off.
    #[error("broke off its answer: {0}")]
    Broken(String),
    /// What came is not HTTP.
    #[error("does not speak HTTP/1.1")]
    NotHttp,
    /// Nothing came for this long.
    #[error("sent nothing for {}", seconds(*.0))]
    Silent(Duration),
    /// The whole exchange took longer than the caller allows.
    #[error("did not finish in the time allowed")]
    DeadlineExceeded,
    /// The body is larger than this many bytes.
    #[error("sent more than {} MiB", .0 / (1024 * 1024))]
    TooLarge(usize),
}

impl HttpFailure {
    pub(super) fn late(at_deadline: bool, waited: Duration) -> Self {
        if at_deadline { Self::DeadlineExceeded } else { Self::Silent(waited) }
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 { format!("{} s", duration.as_secs()) } else { format!("{} ms", duration.as_millis()) }
}

pub(super) fn of_request(error: &reqwest::Error, connect: Duration) -> HttpFailure {
    if error.is_connect() && error.is_timeout() {
        return HttpFailure::Unreachable(format!("no connection within {}", seconds(connect)));
    }
    if error.is_dns() {
        return HttpFailure::Unreachable("its name cannot be resolved".to_owned());
    }
    if error.is_builder() {
        return HttpFailure::Setup(root_cause(error));
    }
    if causes(error).any(|cause| ["invalid HTTP", "message head is too large"].iter().any(|text| cause.starts_with(text))) {
        return HttpFailure::NotHttp;
    }
    HttpFailure::Unreachable(reason(error))
}

/// The errors behind an error, outermost first.
fn sources(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    iter::successors(error.source(), |cause| (*cause).source())
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = String> {
    sources(error).map(ToString::to_string)
}

/// What broke, without addresses and names of libraries.
pub(super) fn reason(error: &reqwest::Error) -> String {
    if causes(error).any(|cause| cause.contains("certificate")) {
        return "its TLS certificate is not trusted".to_owned();
    }
    let io = sources(error).find_map(|cause| cause.downcast_ref::<io::Error>());
    let other = if error.is_connect() { "the connection failed" } else { "the connection was closed" };
    io.and_then(|io| io_reason(io.kind())).unwrap_or(other).to_owned()
}

/// What broke, if the kind of an error tells.
pub(crate) const fn io_reason(kind: io::ErrorKind) -> Option<&'static str> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "the connection was reset"
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "there is no route to it",
        io::ErrorKind::TimedOut => "the connection timed out",
        _ => return None,
    })
}

/// The innermost cause.
pub(super) fn root_cause(error: &reqwest::Error) -> String {
    causes(error).last().unwrap_or_else(|| error.to_string())
}
