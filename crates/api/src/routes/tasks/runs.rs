//! The runs of a task, and where a child task comes from.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use crewd_domain::runs::{Origin, Run, StepPath};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::schemas::{FailureResponse, UsageResponse};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Caller, Query, TaskPath};
use crate::page::Page;
use crate::state::ApiState;
use crate::timestamp::Timestamp;

/// One execution of a task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RunResponse {
    /// Its id.
    id: Uuid,
    /// From 1; a retry is a further run.
    attempt: u32,
    /// The run whose journal this one continues: the one before it of the same task, or that of a fork's origin.
    parent_run_id: Option<Uuid>,
    /// The first step that was not taken over from that run.
    #[schema(value_type = Option<String>, example = "crew_task[0].agent.turn[1]")]
    fork_step: Option<StepPath>,
    /// What it has come to, as a hash over its results; set at the end. A replay reaches the same.
    state_hash: Option<String>,
}

/// Where a fork or a replay comes from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OriginResponse {
    /// The task it continues.
    task_id: Uuid,
    /// The run whose journal it took over.
    run_id: Uuid,
    /// The first step that is done anew; `null` in a replay.
    #[schema(value_type = Option<String>)]
    from_step: Option<StepPath>,
    /// What tools may do: `reuse`, `dry_run` or `execute`.
    #[schema(example = "reuse")]
    effects: &'static str,
    /// Whether everything comes from the journal and must reach the same state.
    replay: bool,
}

/// A run in the list of a task's runs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunItem {
    #[serde(flatten)]
    run: RunResponse,
    /// As for a task.
    #[schema(example = "failed")]
    status: &'static str,
    /// What a waiting run waits for.
    waiting_for: Option<&'static str>,
    /// Why it failed or stopped early.
    error: Option<FailureResponse>,
    /// Of a failed run: `open`, `redriven` or `discarded`.
    dead_letter: Option<&'static str>,
    /// Finished steps, those that were taken over included.
    steps_done: u32,
    /// What it used itself; set at the end.
    usage: UsageResponse,
    /// When it was made.
    created_at: Timestamp,
    /// When a worker first took it.
    started_at: Option<Timestamp>,
    /// When it ended.
    finished_at: Option<Timestamp>,
}

/// List a task's runs, the first one first.
///
/// A retry or a redrive adds one; the task shows the state of the last.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/runs", tag = "tasks", operation_id = "list_task_runs",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The task")),
    responses(
        (status = 200, description = "All its runs", body = Page<RunItem>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_runs(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    query: Query,
) -> Result<Json<Page<RunItem>>, ApiError> {
    let id = path.id()?;
    query.finish()?;
    let runs = state.tasks.runs(&context, id).await?;
    Ok(Json(Page { items: runs.into_iter().map(RunItem::from).collect(), next_cursor: None }))
}

impl From<&Run> for RunResponse {
    fn from(run: &Run) -> Self {
        Self {
            id: run.id.as_uuid(),
            attempt: run.attempt,
            parent_run_id: run.parent.map(|parent| parent.as_uuid()),
            fork_step: run.fork_step.clone(),
            state_hash: run.state_hash.clone(),
        }
    }
}

impl From<Run> for RunItem {
    fn from(run: Run) -> Self {
        Self {
            run: RunResponse::from(&run),
            status: run.status.as_str(),
            waiting_for: run.waiting_for.map(|reason| reason.as_str()),
            error: run.error.map(FailureResponse::from),
            dead_letter: run.dead_letter.map(|state| state.as_str()),
            steps_done: run.steps_done,
            usage: run.usage.into(),
            created_at: run.created_at.into(),
            started_at: run.started_at.map(Timestamp),
            finished_at: run.finished_at.map(Timestamp),
        }
    }
}

impl From<Origin> for OriginResponse {
    fn from(origin: Origin) -> Self {
        Self {
            task_id: origin.task_id.as_uuid(),
            run_id: origin.run_id.as_uuid(),
            from_step: origin.from_step,
            effects: origin.effects.as_str(),
            replay: origin.replay,
        }
    }
}
