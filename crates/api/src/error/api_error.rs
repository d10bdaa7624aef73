//! What handlers, extractors and middleware answer when they cannot do their work.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use crewd_application::error::{Error, ErrorCode, FieldProblem};
use crewd_domain::crews::Severity;

use super::body::{CheckLine, DefinitionProblem, ErrorDetails, FieldError};
use super::status::status_of;

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: ErrorCode,
    message: Cow<'static, str>,
    details: Box<ErrorDetails>,
    headers: Vec<(HeaderName, HeaderValue)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ApiError {
    /// An error with a code and a message for people.
    pub(crate) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), details: Box::default(), headers: Vec::new(), source: None }
    }

    /// A defect of crewd; what it was is only in the log.
    pub(crate) fn internal() -> Self {
        Self::new(ErrorCode::Internal, "an unexpected error; it is in the log under the request id")
    }

    /// Adds a finer code.
    pub(crate) fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.details.reason = Some(reason.into());
        self
    }

    /// Adds what is wrong with the fields.
    pub(crate) fn fields(mut self, fields: Vec<FieldProblem>) -> Self {
        self.details.fields = fields.into_iter().map(FieldError::from).collect();
        self
    }

    /// Adds what was checked.
    pub(crate) fn checks(mut self, checks: Vec<CheckLine>) -> Self {
        self.details.checks = checks;
        self
    }

    /// Adds a header to the answer.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Keeps the cause for the log.
    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The stable code.
    pub(crate) const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The text for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Finer facts for programs.
    pub(crate) fn details(&self) -> &ErrorDetails {
        &self.details
    }

    /// The status it is answered with.
    pub(crate) const fn status(&self) -> StatusCode {
        status_of(self.code)
    }

    /// The chain of causes in one line, for the log alone.
    pub(crate) fn causes(&self) -> String {
        let mut text = String::new();
        let mut next = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(cause) = next {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let mut made = Self::new(error.code, error.message).fields(error.fields);
        made.details.reason = error.reason.map(Cow::Borrowed);
        if let Some(report) = error.report {
            let first = report.diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
            made.details.reason = made.details.reason.or_else(|| first.map(|diagnostic| Cow::Owned(diagnostic.rule.clone())));
            made.details.problems = report.diagnostics.iter().map(DefinitionProblem::from).collect();
        }
        let facts = error.facts.as_deref().copied().unwrap_or_default();
        made.details.task_id = facts.task_id.map(|task| task.as_uuid());
        if let Some(wait) = facts.retry_after {
            made = made.header(header::RETRY_AFTER, whole_seconds(wait));
        }
        made.source = error.source;
        made
    }
}

impl IntoResponse for ApiError {
    /// Status, headers and the error itself; the outermost middleware writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if matches!(self.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        for (name, value) in &self.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// A wait as `Retry-After` tells it: never less than what is needed.
pub(crate) fn whole_seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1))
}

#[cfg(test)]
mod tests {
    use crewd_domain::crews::{Problem, ValidationReport};
    use crewd_domain::shared::TaskId;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_wrong_definition_tells_all_problems_and_the_first_rule() {
        let report: ValidationReport =
            [Problem::warning("agents.a", "unused_agent", "unused"), Problem::error("tasks.t.agent", "unknown_agent", "no")]
                .into_iter()
                .collect();
        let error = ApiError::from(Error::definition(report));
        assert_eq!(error.status(), StatusCode::BAD_REQUEST);
        let details = serde_json::to_value(error.details()).unwrap();
        assert_eq!(details["reason"], "unknown_agent");
        assert_eq!(details["problems"].as_array().map(Vec::len), Some(2));
        assert_eq!(details["problems"][1]["severity"], "error");
    }

    #[test]
    fn details_are_empty_when_there_is_nothing_to_add() {
        assert_eq!(serde_json::to_value(ApiError::internal().details()).unwrap(), json!({}));
    }

    #[test]
    fn causes_are_kept_for_the_log() {
        let error = Error::new(ErrorCode::Internal, "public").caused_by(std::io::Error::other("private"));
        let error = ApiError::from(error);
        assert_eq!((error.message(), error.causes().as_str()), ("public", "private"));
    }

    #[test]
    fn an_overload_says_when_to_come_back() {
        let response = ApiError::new(ErrorCode::Unavailable, "later").into_response();
        assert_eq!(response.headers()["retry-after"], "1");
        for (millis, seconds) in [(0, "1"), (900, "1"), (1_001, "2"), (5_000, "5")] {
            let error = Error::new(ErrorCode::QuotaExceeded, "later").retry_after(Duration::from_millis(millis));
            assert_eq!(ApiError::from(error).into_response().headers()["retry-after"], seconds);
        }
    }

    #[test]
    fn the_task_in_the_way_is_named() {
        let error = ApiError::from(Error::new(ErrorCode::Conflict, "no").about(TaskId::new(Uuid::from_u128(7))));
        let details = serde_json::to_value(error.details()).unwrap();
        assert_eq!(details, json!({"task_id": "00000000-0000-0000-0000-000000000007"}));
    }
}
