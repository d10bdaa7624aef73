//! Submit, read, list, cancel.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crewd_application::context::RequestContext;
use crewd_application::ports::TaskView;
use crewd_application::runs::Instead;
use crewd_domain::runs::CancelMode;
use crewd_domain::shared::TaskId;
use serde_json::Value;
use utoipa::ToSchema;

use super::list::{cursors, read_query};
use super::rates::take_rate;
use super::schemas::{TaskResponse, self_link};
use super::submit::{Submission, SubmitTaskRequest, read_submission};
use crate::error::{ApiError, ErrorBody, Problems};
use crate::extract::{
    Body, Caller, LONGEST_WAIT_SECONDS, ObjectReader, Query, TaskPath, idempotency_key, parse_json, preferred_wait,
};
use crate::page::Page;
use crate::state::ApiState;

/// Characters of the reason for a cancel.
const LONGEST_REASON: usize = 500;

/// Submit a task.
///
/// It is in the database when the answer comes, and will reach an end.
#[utoipa::path(
    post, path = "/api/v1/tasks", tag = "tasks", operation_id = "submit_task",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters. The same key with the same body gives the first answer again, for 24 hours."),
        ("Prefer" = Option<String>, Header, description = "`wait=N` holds the answer until the task has ended, N seconds (at most 60) at the longest."),
    ),
    request_body = SubmitTaskRequest,
    responses(
        (status = 202, description = "Accepted; `Location` has its address", body = TaskResponse,
            headers(("Location" = String), ("Retry-After" = u32), ("Idempotent-Replayed" = String),
                ("Deduplicated" = String, description = "`true` where another task holds the `dedup_key`: that task is the answer"),
                ("Merged-Into" = String, description = "The task that the inputs went to as a message: that task is the answer"),
                ("RateLimit" = String), ("RateLimit-Policy" = String))),
        (status = 200, description = "It has ended within the time of `Prefer: wait`", body = TaskResponse),
        (status = 409, description = "`conflict` with `duplicate` or `concurrency_conflict`; `details.task_id` is the task in the way", body = ErrorBody),
        (status = 429, description = "`rate_limited`, or `quota_exceeded` with `queue_full`", body = ErrorBody,
            headers(("Retry-After" = u32), ("RateLimit" = String), ("RateLimit-Policy" = String))),
        (status = 503, description = "`unavailable`, with `overloaded` where there is too much to do", body = ErrorBody,
            headers(("Retry-After" = u32))),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn submit_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    body: Body,
) -> Result<Response, ApiError> {
    let rates = take_rate(&state, &context).await?;
    let json = parse_json(body.json()?, state.limits.json_depth)?;
    let key = idempotency_key(body.headers(), &json)?;
    let Submission { task, webhook } = read_submission(json)?;
    let mut secret = None;
    let along = |id| {
        let Some(wanted) = webhook else { return Ok(Vec::new()) };
        let (change, made) = state.webhooks.prepare_for_task(&context, id, wanted)?;
        secret = Some(made);
        Ok(vec![change])
    };
    let submitted = state.tasks.submit_along(&context, task, key, along).await?;
    let id = submitted.view.task.id;
    let is_new = !submitted.replayed && submitted.instead.is_none();
    let wait = preferred_wait(body.headers());
    let view = match wait {
        Some(limit) => wait_for(&state, &context, id, limit).await?,
        None => submitted.view,
    };
    let status = if wait.is_some() && view.run.status.is_terminal() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let answer = TaskResponse::from(view).signed_with(secret.filter(|_| is_new));
    let mut response = (status, Json(answer)).into_response();
    let headers = response.headers_mut();
    headers.extend(rates);
    match submitted.instead {
        Some(Instead::Duplicate) => {
            headers.insert(HeaderName::from_static("deduplicated"), HeaderValue::from_static("true"));
        }
        Some(Instead::Merged) => {
            if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
                headers.insert(HeaderName::from_static("merged-into"), id);
            }
        }
        None => {}
    }
    if let Ok(location) = HeaderValue::from_str(&self_link(id)) {
        headers.insert(LOCATION, location);
    }
    if status == StatusCode::ACCEPTED {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if submitted.replayed {
        headers.insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
    }
    if let Some(applied) = wait.and_then(|limit| HeaderValue::from_str(&format!("wait={}", limit.as_secs())).ok()) {
        headers.insert(HeaderName::from_static("preference-applied"), applied);
    }
    Ok(response)
}

/// Read a task.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", tag = "tasks", operation_id = "get_task",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("wait" = Option<u64>, Query, description = "Seconds, at most 60: holds the answer until the task has ended"),
    ),
    responses(
        (status = 200, description = "The task as it stands", body = TaskResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    mut query: Query,
) -> Result<Json<TaskResponse>, ApiError> {
    let id = path.id()?;
    let wait = query.number("wait", 0..=LONGEST_WAIT_SECONDS);
    query.finish()?;
    let view = match wait {
        Some(seconds) if seconds > 0 => wait_for(&state, &context, id, Duration::from_secs(seconds)).await?,
        _ => state.tasks.get(&context, id).await?,
    };
    let asked = state.approvals.awaited(&context, &view.run).await?;
    let position = state.tasks.queue_position(&context, &view).await?;
    Ok(Json(TaskResponse::from(view).asking(asked).queued_at(position)))
}

/// List tasks, newest first.
#[utoipa::path(
    get, path = "/api/v1/tasks", tag = "tasks", operation_id = "list_tasks",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("status" = Option<String>, Query, description = "One or more states, separated by commas"),
        ("crew" = Option<String>, Query, description = "Only tasks of this crew"),
        ("flow" = Option<String>, Query, description = "Only tasks of this flow; this version has none"),
        ("created_after" = Option<String>, Query, description = "Only tasks accepted at or after this instant"),
        ("created_before" = Option<String>, Query, description = "Only tasks accepted before this instant"),
        ("metadata.<key>" = Option<String>, Query, description = "Only tasks with this value under this key of their metadata"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of tasks", body = Page<TaskResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_tasks(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
) -> Result<Json<Page<TaskResponse>>, ApiError> {
    let list = read_query(query, &context.tenant)?;
    if list.is_empty {
        return Ok(Json(Page { items: Vec::new(), next_cursor: None }));
    }
    let page = state.tasks.list(&context, &list.filter, list.before, list.limit).await?;
    let next_cursor = page.next_before.map(|id| cursors(&context.tenant).write(&id.to_string()));
    Ok(Json(Page { items: page.items.into_iter().map(TaskResponse::from).collect(), next_cursor }))
}

/// How to end a task. The whole body may be left out.
#[derive(Debug, Default, ToSchema)]
pub(super) struct CancelTaskRequest {
    /// `graceful` (the default) lets the current step finish, `immediate` does not.
    #[schema(value_type = Option<String>, example = "graceful")]
    mode: Option<CancelMode>,
    /// Why, for the log; at most 500 characters.
    reason: Option<String>,
}

/// Cancel a task.
///
/// The task ends as soon as its worker hears of it. Asking again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/cancel", tag = "tasks", operation_id = "cancel_task",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The task")),
    request_body = Option<CancelTaskRequest>,
    responses(
        (status = 202, description = "It will end", body = TaskResponse),
        (status = 200, description = "It had ended before; nothing was changed", body = TaskResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn cancel_task(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: TaskPath,
    body: Body,
) -> Result<Response, ApiError> {
    let id = path.id()?;
    let request = match body.optional_json()? {
        Some(text) => read_cancel(parse_json(text, state.limits.json_depth)?)?,
        None => CancelTaskRequest::default(),
    };
    let (mode, reason) = request.into_parts();
    let answer = state.tasks.cancel(&context, id, mode, reason).await?;
    let status = if answer.was_terminal { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(TaskResponse::from(answer.view))).into_response())
}

/// Reads what a cancel says; also used for the operation of a WebSocket.
pub(super) fn read_cancel(body: Value) -> Result<CancelTaskRequest, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let request = CancelTaskRequest {
        mode: reader.choice("mode", &[("graceful", CancelMode::Graceful), ("immediate", CancelMode::Immediate)]),
        reason: reader.name("reason", LONGEST_REASON),
    };
    reader.finish();
    problems.check()?;
    Ok(request)
}

impl CancelTaskRequest {
    /// Mode and reason, with the default mode.
    pub(super) fn into_parts(self) -> (CancelMode, Option<String>) {
        (self.mode.unwrap_or(CancelMode::Graceful), self.reason)
    }
}

/// The task at its end, or as it is when the time is over or the server stops.
async fn wait_for(state: &ApiState, context: &RequestContext, id: TaskId, limit: Duration) -> Result<TaskView, ApiError> {
    tokio::select! {
        view = state.tasks.wait(context, id, limit) => Ok(view?),
        () = state.shutdown.cancelled() => Ok(state.tasks.get(context, id).await?),
    }
}
