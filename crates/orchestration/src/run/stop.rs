//! Why a run does not go on.

use crewd_application::error::ErrorCode;
use crewd_application::ports::{ModelError, ModelErrorKind, StoreError};
use crewd_domain::runs::{Failure, FailureClass, IncompleteReason, Pause, RunOutcome, StepPath, WaitReason};
use serde_json::{Value, json};

/// Ends the work on a run. Passed upwards with `?` through the whole engine.
#[derive(Debug)]
pub enum Stop {
    /// An error of the work itself.
    Failed(Box<Failure>),
    /// A limit.
    Incomplete(IncompleteReason, Box<Failure>),
    /// It is parked until something happens.
    Waiting(Box<Pause>),
    /// A replay has come to a step that its journal does not have.
    ReplayEnded(StepPath),
    /// Somebody wants it ended.
    Cancelled,
    /// This worker is stopping; another one goes on.
    Drained,
    /// The run is somebody else's now, or the journal cannot be written: stop silently.
    Abandoned(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Abandoned(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl Stop {
    /// Of two orders to stop the one that goes first; two waits are one for both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Cancelled, _) | (_, Self::Cancelled) => Self::Cancelled,
            (Self::Drained, _) | (_, Self::Drained) => Self::Drained,
            (Self::Waiting(first), Self::Waiting(second)) => Self::Waiting(Box::new(join_waits(*first, *second))),
            (first, _) => first,
        }
    }

    /// A defect of crewd.
    #[must_use]
    pub fn internal(message: &str) -> Self {
        Failure::new(FailureClass::Internal, ErrorCode::Internal.as_str(), message).into()
    }

    /// What is pinned in the run is not what the journal was written with.
    #[must_use]
    pub fn journal_mismatch(message: String) -> Self {
        let failure = Failure::new(FailureClass::JournalMismatch, ErrorCode::Conflict.as_str(), message);
        failure.with_details(json!({"reason": "journal_mismatch"})).into()
    }

    /// A definition or input that only shows to be wrong while it runs.
    #[must_use]
    pub fn user_error(message: impl Into<String>) -> Self {
        Failure::new(FailureClass::UserError, ErrorCode::ValidationFailed.as_str(), message).into()
    }

    /// A model that gave no usable answer.
    #[must_use]
    pub fn provider(message: impl Into<String>) -> Self {
        Failure::new(FailureClass::ProviderError, ErrorCode::ProviderFailed.as_str(), message).into()
    }

    /// A time limit of an agent.
    #[must_use]
    pub fn timeout(message: impl Into<String>) -> Self {
        Failure::new(FailureClass::Timeout, ErrorCode::Timeout.as_str(), message).retryable().into()
    }
}

/// Waits for both: until the earlier end, and for all questions of both.
fn join_waits(first: Pause, second: Pause) -> Pause {
    if first.reason == WaitReason::Operator || second.reason == WaitReason::Operator {
        return if first.reason == WaitReason::Operator { first } else { second };
    }
    let until = [first.until, second.until].into_iter().flatten().min();
    let mut details = first.details;
    let more = second.details.get("approvals").and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(questions) = details.get_mut("approvals").and_then(Value::as_array_mut) {
        questions.extend(more);
    }
    Pause { reason: first.reason, until, details }
}

/// The failure that a failed model call leaves in the journal and in the task's `error`.
#[must_use]
pub fn model_failure(error: &ModelError) -> Failure {
    let (class, code) = match error.kind {
        ModelErrorKind::Timeout => (FailureClass::Timeout, ErrorCode::Timeout),
        ModelErrorKind::UnknownModel => (FailureClass::UserError, ErrorCode::ValidationFailed),
        _ => (FailureClass::ProviderError, ErrorCode::ProviderFailed),
    };
    let details = json!({
        "kind": error.kind.as_str(),
        "provider_status": error.status,
        "retry_after_seconds": error.retry_after.map(|wait| wait.as_secs_f64()),
    });
    let failure = Failure::new(class, code.as_str(), error.message.clone()).with_details(details);
    if error.is_retryable() { failure.retryable() } else { failure }
}

/// The failure that a run which ends leaves in the steps that were still going on.
#[must_use]
pub fn cut_off(outcome: &RunOutcome) -> Failure {
    let details = json!({"kind": "cut_off"});
    match outcome {
        RunOutcome::Failed { failure, .. } | RunOutcome::Incomplete { failure, .. } => {
            Failure { message: format!("cut off: {}", failure.message), ..failure.clone() }.with_details(details)
        }
        RunOutcome::Cancelled { .. } | RunOutcome::Succeeded { .. } => {
            let code = ErrorCode::InvalidState.as_str();
            Failure::new(FailureClass::UserError, code, "cut off: the task was cancelled").with_details(details)
        }
    }
}
