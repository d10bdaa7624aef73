//! Errors out of statuses and bodies.

mod kind;
mod report;

use crewd_application::ports::{ModelError, ModelErrorKind};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::SecretString;

use self::kind::{kind_of_report, kind_of_status};
use self::report::Report;
use super::redact::clean;
use super::retry_after::retry_after;
use crate::http::HttpFailure;

/// Makes the errors of one provider.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) provider: String,
    pub(super) key: Option<SecretString>,
}

impl Faults {
    /// An answer with a status other than 2xx.
    pub(super) fn status(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ModelError {
        let code = status.as_u16();
        let report = Report::read(body);
        let kind = kind_of_status(code, &report);
        let said = match report.said() {
            Some(said) => format!(": {}", clean(&said, self.key.as_ref())),
            None if status.is_redirection() => " (a redirect; is the base URL right?)".to_owned(),
            None if body.is_empty() => String::new(),
            None => " with a text that is not an error of its protocol".to_owned(),
        };
        let lead = match kind {
            ModelErrorKind::Unauthorized if code == 402 => format!("{} wants to be paid (402)", self.provider),
            ModelErrorKind::Unauthorized => format!("{} does not accept the API key ({code})", self.provider),
            ModelErrorKind::ContextLength => format!("the conversation is too long for the model of {} ({code})", self.provider),
            _ => format!("{} answered {code}", self.provider),
        };
        ModelError {
            kind,
            message: format!("{lead}{said}"),
            status: Some(code),
            retry_after: matches!(code, 408 | 429 | 500..=599).then(|| retry_after(headers)).flatten(),
        }
    }

    /// An error that came where an answer should be, under a status of success.
    pub(super) fn in_band(&self, body: &[u8]) -> ModelError {
        let report = Report::read(body);
        let said = report.said().map_or_else(|| "no reason was given".to_owned(), |said| clean(&said, self.key.as_ref()));
        let kind = kind_of_report(&report);
        ModelError { status: report.status(), ..ModelError::new(kind, format!("{} reported an error: {said}", self.provider)) }
    }

    /// A connection that failed; `begun` says whether some of the answer had come.
    pub(super) fn transport(&self, failure: &HttpFailure, begun: bool) -> ModelError {
        let kind = match failure {
            HttpFailure::Silent(_) | HttpFailure::DeadlineExceeded => ModelErrorKind::Timeout,
            HttpFailure::TooLarge(_) | HttpFailure::NotHttp => ModelErrorKind::Malformed,
            _ if begun => ModelErrorKind::Interrupted,
            _ => ModelErrorKind::Unavailable,
        };
        ModelError::new(kind, format!("{} {failure}", self.provider))
    }

    /// An answer that is not what the protocol says; `what` completes "answered with".
    pub(super) fn malformed(&self, what: &str) -> ModelError {
        ModelError::new(ModelErrorKind::Malformed, format!("{} answered with {what}", self.provider))
    }

    /// A stream that was over too early.
    pub(super) fn interrupted(&self) -> ModelError {
        ModelError::new(ModelErrorKind::Interrupted, format!("{} ended its answer before it was whole", self.provider))
    }
}
