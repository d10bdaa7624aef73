//! A further run of an ended task.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crewd_application::runs::{RetryFrom, Submitted};
use crewd_domain::runs::StepPath;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::schemas::{TaskResponse, self_link};
use crate::error::{ApiError, ErrorBody, Problems};
use crate::extract::{Body, Caller, ObjectReader, Query, TaskPath, idempotency_key, parse_json};
use crate::state::ApiState;

/// Where to take up the work. The whole body may be left out.
#[derive(Debug, Default, ToSchema)]
#[expect(dead_code, reason = "it describes the body in the document; the body itself is read field by field")]
pub(super) struct RetryTaskRequest {
    /// `failed_step` (the default): everything that was finished stays. `start`: nothing stays. Or the path of a step: it
    /// and everything after it is done again.
    #[schema(example = "failed_step")]
    from: Option<String>,
}

/// Try an ended task again.
///
/// A further run of the same task, which must be failed, incomplete or cancelled. Finished steps are taken over, neither
/// run nor paid again. The log goes on where it ended.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/retry", tag = "tasks", operation_id = "retry_task",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body makes one run, for 24 hours."),
    ),
    request_body = Option<RetryTaskRequest>,
    responses(
        (status = 202, description = "It is queued again", body = TaskResponse,
            headers(("Location" = String), ("Idempotent-Replayed" = String))),
        (status = "default", description = "Any error; 409 `invalid_state` with `not_retryable` or `changed_meanwhile`", body = ErrorBody),
    ),
)]
pub(super) async fn retry_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    query.finish()?;
    let json = body.optional_json()?.map_or_else(|| Ok(json!({})), |text| parse_json(text, state.limits.json_depth))?;
    let key = idempotency_key(body.headers(), &json)?;
    let from = read_retry(json)?;
    Ok(accepted(state.tasks.retry(&context, id, &from, key).await?))
}

fn read_retry(body: Value) -> Result<RetryFrom, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let from = read_from(&mut reader);
    if reader.any("inputs").is_some() {
        let message = "a task keeps its inputs; fork it with `overrides.inputs`, or redrive a dead letter with `edited_input`";
        reader.add("not_supported", "inputs", message);
    }
    reader.finish();
    problems.check()?;
    Ok(from)
}

/// The field `from`.
pub(crate) fn read_from(reader: &mut ObjectReader<'_>) -> RetryFrom {
    match reader.text("from").as_deref() {
        None | Some("failed_step") => RetryFrom::FailedStep,
        Some("start") => RetryFrom::Start,
        Some(text) => {
            let path = StepPath::parse(text).map(RetryFrom::Step);
            path.unwrap_or_else(|| {
                reader.add("unknown_value", "from", "must be failed_step, start, or the path of a step");
                RetryFrom::FailedStep
            })
        }
    }
}

/// A field that holds the path of a step.
pub(super) fn read_step(reader: &mut ObjectReader<'_>, name: &'static str) -> Option<StepPath> {
    let path = StepPath::parse(&reader.text(name)?);
    if path.is_none() {
        reader.add("unknown_value", name, "must be the path of a step, such as crew_task[0].agent.turn[1]");
    }
    path
}

/// The answer to a request that has given a task a run.
pub(crate) fn accepted(submitted: Submitted) -> Response {
    let location = HeaderValue::from_str(&self_link(submitted.view.task.id));
    let mut response = (StatusCode::ACCEPTED, Json(TaskResponse::from(submitted.view))).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    if submitted.replayed {
        let name = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}
