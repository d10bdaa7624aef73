//! Why a run or a step failed, in words for people and in codes for programs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::named;

/// Whose fault a failure is, and so who should act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// The definition or the inputs.
    UserError,
    /// A tool.
    ToolError,
    /// A model provider.
    ProviderError,
    /// A time limit of a step or of the queue.
    Timeout,
    /// Workers died on it again and again.
    CrashLoop,
    /// What is pinned in the run is not what is there now.
    JournalMismatch,
    /// crewd itself.
    Internal,
}

named!(FailureClass {
    UserError = "user_error",
    ToolError = "tool_error",
    ProviderError = "provider_error",
    Timeout = "timeout",
    CrashLoop = "crash_loop",
    JournalMismatch = "journal_mismatch",
    Internal = "internal",
});

/// The `error` of a failed task or step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable code out of the closed list of the HTTP surface, such as `provider_failed`.
    pub code: String,
    /// Whose fault it is.
    pub class: FailureClass,
    /// For people; never holds secrets or internals.
    pub message: String,
    /// Whether the same work may succeed later.
    pub retryable: bool,
    /// Finer facts, such as the provider's status.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

impl FailureClass {
    /// Whether a run that failed so becomes a dead letter: a person or a later time may mend it. What the caller did
    /// wrong is told to the caller and to nobody else.
    #[must_use]
    pub const fn is_dead_letter(self) -> bool {
        !matches!(self, Self::UserError)
    }
}

impl Failure {
    /// A failure without details that will not mend itself.
    #[must_use]
    pub fn new(class: FailureClass, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), class, message: message.into(), retryable: false, details: Value::Null }
    }

    /// Says that trying again later may help.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Adds finer facts for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }
}
