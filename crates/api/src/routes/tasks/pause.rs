//! Stopping for a while, and going on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::retry::read_step;
use super::schemas::TaskResponse;
use crate::error::{ApiError, ErrorBody, Problems};
use crate::extract::{Body, Caller, ObjectReader, Query, TaskPath, parse_json};
use crate::state::ApiState;

/// Characters of the reason for a pause.
const LONGEST_REASON: usize = 500;

/// Why to pause. The whole body may be left out.
#[derive(Debug, Default, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
pub(super) struct PauseTaskRequest {
    /// For the log; at most 500 characters.
    reason: Option<String>,
}

/// How to go on. The whole body may be left out.
#[derive(Debug, Default, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
pub(super) struct ResumeTaskRequest {
    /// The step after which to stop again.
    #[schema(example = "crew_task[1]")]
    stop_after: Option<String>,
}

/// Pause a task.
///
/// It stops at the next step boundary and waits for `operator`, without a worker, until it is resumed or cancelled. The
/// time does not count against its deadline. Asking again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/pause", tag = "tasks", operation_id = "pause_task",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The task")),
    request_body = Option<PauseTaskRequest>,
    responses(
        (status = 202, description = "It will pause", body = TaskResponse),
        (status = 200, description = "It is paused; nothing was changed", body = TaskResponse),
        (status = "default", description = "Any error; 409 `invalid_state` with `not_pausable`", body = ErrorBody),
    ),
)]
pub(super) async fn pause_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    query.finish()?;
    let reason = read(&state, &body, |reader| reader.name("reason", LONGEST_REASON))?;
    let answer = state.tasks.pause(&context, id, reason).await?;
    let status = if answer.was_paused { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(TaskResponse::from(answer.view))).into_response())
}

/// Resume a paused task.
///
/// It goes on where it stopped. A pause that has not been heeded yet is taken back.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/resume", tag = "tasks", operation_id = "resume_task",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The task")),
    request_body = Option<ResumeTaskRequest>,
    responses(
        (status = 202, description = "It goes on", body = TaskResponse),
        (status = "default", description = "Any error; 409 `invalid_state` with `not_paused`", body = ErrorBody),
    ),
)]
pub(super) async fn resume_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    query.finish()?;
    let stop_after = read(&state, &body, |reader| read_step(reader, "stop_after"))?;
    let view = state.tasks.resume(&context, id, stop_after).await?;
    Ok((StatusCode::ACCEPTED, Json(TaskResponse::from(view))).into_response())
}

/// The one field of an optional body.
fn read<T>(state: &ApiState, body: &Body, field: impl FnOnce(&mut ObjectReader<'_>) -> Option<T>) -> Result<Option<T>, ApiError> {
    let json: Value = body.optional_json()?.map_or_else(|| Ok(json!({})), |text| parse_json(text, state.limits.json_depth))?;
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(json, &mut problems)?;
    let value = field(&mut reader);
    reader.finish();
    problems.check()?;
    Ok(value)
}
