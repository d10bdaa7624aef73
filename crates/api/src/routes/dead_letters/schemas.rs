//! Dead letters as clients see them.

use chrono::{DateTime, Utc};
use crewd_application::ports::TaskView;
use crewd_application::runs::BulkAnswer;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::routes::tasks::{FailureResponse, TaskResponse};

/// A failed task that waits for a person.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadLetterResponse {
    #[serde(flatten)]
    task: TaskResponse,
    /// Why it failed; the same as `error`.
    failure: Option<FailureResponse>,
    /// Seconds since it failed.
    age_seconds: u64,
}

/// What came of an action on many dead letters.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BulkResponse {
    /// How many the filter found, up to the limit.
    matched: usize,
    /// For how many it was done.
    done: usize,
    /// The others.
    failed: Vec<BulkFailure>,
}

/// One for which it could not be done.
#[derive(Debug, Serialize, ToSchema)]
struct BulkFailure {
    /// The task.
    id: Uuid,
    /// The code of the error.
    #[schema(example = "invalid_state")]
    code: &'static str,
}

impl DeadLetterResponse {
    /// A dead letter as it is at an instant.
    pub(super) fn at(view: TaskView, now: DateTime<Utc>) -> Self {
        let failed_at = view.run.finished_at.unwrap_or(view.run.created_at);
        let age_seconds = (now - failed_at).to_std().unwrap_or_default().as_secs();
        let failure = view.run.error.clone().map(FailureResponse::from);
        Self { task: view.into(), failure, age_seconds }
    }
}

impl From<BulkAnswer> for BulkResponse {
    fn from(answer: BulkAnswer) -> Self {
        let failed = answer.failed.into_iter();
        let failed = failed.map(|(id, code)| BulkFailure { id: id.as_uuid(), code: code.as_str() }).collect();
        Self { matched: answer.matched, done: answer.done, failed }
    }
}
