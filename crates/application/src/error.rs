//! The one error of every use case.

use std::time::Duration;

use crewd_domain::crews::ValidationReport;
use crewd_domain::shared::TaskId;
use serde::Serialize;
use thiserror::Error;

use crate::ports::StoreError;

/// The closed list of error codes. Each has a page in `docs/errors/` and one status in the HTTP surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request cannot be parsed.
    BadRequest,
    /// A crew or flow definition is wrong.
    InvalidDefinition,
    /// No key, or a wrong one.
    Unauthenticated,
    /// The key may not do this.
    Forbidden,
    /// A budget is spent.
    BudgetExceeded,
    /// There is no such thing for this tenant.
    NotFound,
    /// The route exists, the method does not.
    MethodNotAllowed,
    /// Somebody else changed it meanwhile.
    Conflict,
    /// Its state does not allow this.
    InvalidState,
    /// It was there and is kept no more.
    Gone,
    /// The body is larger than allowed.
    PayloadTooLarge,
    /// The content type is not understood.
    UnsupportedMediaType,
    /// The header block is larger than allowed.
    RequestHeaderFieldsTooLarge,
    /// Parsed, but not acceptable; `details.fields` says where.
    ValidationFailed,
    /// The same idempotency key came with another body.
    IdempotencyKeyReused,
    /// A guardrail refused it.
    GuardrailBlocked,
    /// Too many requests.
    RateLimited,
    /// A quota is used up.
    QuotaExceeded,
    /// A defect of crewd.
    Internal,
    /// A model provider failed.
    ProviderFailed,
    /// A part that is needed is not there right now.
    Unavailable,
    /// It took longer than allowed.
    Timeout,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: &'static [Self] = &[
        Self::BadRequest,
        Self::InvalidDefinition,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::BudgetExceeded,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::InvalidState,
        Self::Gone,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::RequestHeaderFieldsTooLarge,
        Self::ValidationFailed,
        Self::IdempotencyKeyReused,
        Self::GuardrailBlocked,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::Internal,
        Self::ProviderFailed,
        Self::Unavailable,
        Self::Timeout,
    ];

    /// The name clients match on; never changed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::InvalidDefinition => "invalid_definition",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::BudgetExceeded => "budget_exceeded",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::InvalidState => "invalid_state",
            Self::Gone => "gone",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::RequestHeaderFieldsTooLarge => "request_header_fields_too_large",
            Self::ValidationFailed => "validation_failed",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::GuardrailBlocked => "guardrail_blocked",
            Self::RateLimited => "rate_limited",
            Self::QuotaExceeded => "quota_exceeded",
            Self::Internal => "internal",
            Self::ProviderFailed => "provider_failed",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
        }
    }
}

/// One thing wrong in a body, addressed by a JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Where, such as `/inputs/topic`.
    pub pointer: String,
    /// What is wrong with it, for people.
    pub message: String,
}

impl FieldProblem {
    /// A problem at a place. The pointer is taken as it is.
    #[must_use]
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// What a use case answers when it cannot do its work.
#[derive(Debug, Error)]
#[error("{}: {message}", code.as_str())]
pub struct Error {
    /// The stable code.
    pub code: ErrorCode,
    /// For people; never holds internals.
    pub message: String,
    /// A finer code, such as `invalid_cursor`.
    pub reason: Option<&'static str>,
    /// Everything wrong with the fields of a body, at once.
    pub fields: Vec<FieldProblem>,
    /// Everything wrong with a definition, at once.
    pub report: Option<Box<ValidationReport>>,
    /// Facts that few errors have.
    pub facts: Option<Box<ErrorFacts>>,
    /// The cause, for logs alone.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Facts about an error that few errors have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorFacts {
    /// The task that stands in the way.
    pub task_id: Option<TaskId>,
    /// When it is worth trying again.
    pub retry_after: Option<Duration>,
}

/// What every use case returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with a code and a message.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), reason: None, fields: Vec::new(), report: None, facts: None, source: None }
    }

    /// A missing thing; the same for a foreign one.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no such {what}"))
    }

    /// Everything wrong with a body.
    #[must_use]
    pub fn validation(fields: Vec<FieldProblem>) -> Self {
        let message = match fields.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.message),
            several => format!("{} fields are not acceptable", several.len()),
        };
        Self { fields, ..Self::new(ErrorCode::ValidationFailed, message) }
    }

    /// Everything wrong with a definition.
    #[must_use]
    pub fn definition(report: ValidationReport) -> Self {
        let count = report.diagnostics.len();
        let message = format!("the definition has {count} {}", if count == 1 { "problem" } else { "problems" });
        Self { report: Some(Box::new(report)), ..Self::new(ErrorCode::InvalidDefinition, message) }
    }

    /// Adds a finer code.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Names the task that stands in the way.
    #[must_use]
    pub fn about(mut self, task: TaskId) -> Self {
        self.facts.get_or_insert_default().task_id = Some(task);
        self
    }

    /// Says when it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.facts.get_or_insert_default().retry_after = Some(wait);
        self
    }

    /// Keeps the cause for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let made = match &error {
            StoreError::Unavailable(_) => {
                Self::new(ErrorCode::Unavailable, "the database does not answer right now").because("database_unavailable")
            }
            StoreError::Conflict | StoreError::Fenced => {
                Self::new(ErrorCode::Conflict, "it was changed meanwhile; read it again")
            }
            StoreError::Duplicate(_) | StoreError::Corrupt(_) => {
                Self::new(ErrorCode::Internal, "an unexpected error; it is in the log under the request id")
            }
        };
        made.caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_snake_case() {
        let mut names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn a_single_problem_is_said_in_the_message() {
        let error = Error::validation(vec![FieldProblem::new("/crew", "is required")]);
        assert_eq!(error.to_string(), "validation_failed: /crew: is required");
    }
}
