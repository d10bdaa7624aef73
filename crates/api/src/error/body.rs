//! The body of every answer that is not 2xx.

use std::borrow::Cow;

use crewd_application::error::FieldProblem;
use crewd_domain::crews::{Diagnostic, Severity};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// The body of every answer that is not 2xx.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody<'a> {
    /// A stable code out of a closed list; `docs/errors/<code>.md` explains it.
    #[schema(example = "validation_failed")]
    pub(crate) code: &'a str,
    /// What is wrong, for people.
    pub(crate) message: &'a str,
    /// Id of the request, also in the header `x-request-id` and in every line of the log.
    pub(crate) request_id: &'a str,
    /// Finer facts for programs; empty when there is nothing to add.
    pub(crate) details: &'a ErrorDetails,
}

/// Finer facts about an error.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ErrorDetails {
    /// A finer code, such as `invalid_cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) reason: Option<Cow<'static, str>>,
    /// Everything wrong with the fields of the body or the parameters of the query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<FieldError>,
    /// Everything wrong with a definition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<DefinitionProblem>,
    /// The task that stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task_id: Option<Uuid>,
    /// Of readiness: what was checked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) checks: Vec<CheckLine>,
}

/// One thing wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FieldError {
    /// JSON pointer (RFC 6901) into the body; for a parameter of the query, `/` and its name.
    #[schema(example = "/inputs/topic")]
    pub(crate) pointer: String,
    /// What is wrong with it.
    pub(crate) message: String,
}

impl From<FieldProblem> for FieldError {
    fn from(problem: FieldProblem) -> Self {
        Self { pointer: problem.pointer, message: problem.message }
    }
}

/// One thing wrong with a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DefinitionProblem {
    /// The file.
    #[schema(example = "research/tasks.yaml")]
    path: String,
    /// Line in the file, from 1.
    line: Option<u32>,
    /// Column in characters, from 1.
    column: Option<u32>,
    /// The element, as in `tasks.write.context[0]`.
    element: String,
    /// Stable id of the rule.
    #[schema(example = "unknown_agent")]
    pub(crate) rule: String,
    /// `error`, or `warning` where the crew can still run.
    #[schema(example = "error")]
    severity: &'static str,
    /// What is wrong.
    message: String,
    /// What to do about it, where that is known.
    suggestion: Option<String>,
}

impl From<&Diagnostic> for DefinitionProblem {
    fn from(diagnostic: &Diagnostic) -> Self {
        Self {
            path: diagnostic.path.clone(),
            line: diagnostic.line,
            column: diagnostic.column,
            element: diagnostic.element.clone(),
            rule: diagnostic.rule.clone(),
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: diagnostic.message.clone(),
            suggestion: diagnostic.suggestion.clone(),
        }
    }
}

/// One line of readiness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CheckLine {
    /// The part, such as `database`.
    pub(crate) name: &'static str,
    /// `up`, `degraded` (everything goes on without it) or `down`.
    pub(crate) status: &'static str,
    /// Why it is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}
