//! List, read, redrive, discard.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use crewd_domain::shared::TaskId;

use super::read::{RedriveRequest, filter_of, json_of, read_redrive};
use super::schemas::DeadLetterResponse;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, PathIds, Query, idempotency_key};
use crate::page::{Cursors, Page, limit};
use crate::routes::tasks::{TaskResponse, accepted};
use crate::state::ApiState;

/// List dead letters, newest first.
///
/// Tasks that failed for a reason that a person or a later time may mend, and that nobody has dealt with.
#[utoipa::path(
    get, path = "/api/v1/dead-letters", tag = "dead letters", operation_id = "list_dead_letters",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("crew" = Option<String>, Query, description = "Only tasks of this crew"),
        ("class" = Option<String>, Query, description = "Only failures of this class, such as `provider_error`"),
        ("created_after" = Option<String>, Query, description = "Only tasks accepted at or after this instant"),
        ("created_before" = Option<String>, Query, description = "Only tasks accepted before this instant"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of dead letters", body = Page<DeadLetterResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_dead_letters(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    mut query: Query,
) -> Result<Json<Page<DeadLetterResponse>>, ApiError> {
    let cursors = Cursors::of("GET /api/v1/dead-letters", &context.tenant);
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    let filter = filter_of(&mut query);
    query.finish()?;
    let before = cursors.read(cursor, |place| place.parse::<TaskId>().ok())?;
    let page = state.tasks.dead_letters(&context, &filter, before, limit).await?;
    let next_cursor = page.next_before.map(|id| cursors.write(&id.to_string()));
    let now = state.clock.now();
    let items = page.items.into_iter().map(|view| DeadLetterResponse::at(view, now)).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// Read a dead letter, also one that was discarded.
#[utoipa::path(
    get, path = "/api/v1/dead-letters/{id}", tag = "dead letters", operation_id = "get_dead_letter",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The task")),
    responses(
        (status = 200, description = "The dead letter", body = DeadLetterResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_dead_letter(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<Json<DeadLetterResponse>, ApiError> {
    let id = path.id("id", "dead letter")?;
    query.finish()?;
    let view = state.tasks.dead_letter(&context, id).await?;
    Ok(Json(DeadLetterResponse::at(view, state.clock.now())))
}

/// Try a dead letter again.
///
/// A further run of the same task; with `edited_input` a child task, because a task keeps its inputs.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/{id}/redrive", tag = "dead letters", operation_id = "redrive_dead_letter",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The task"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same body makes one run, for 24 hours."),
    ),
    request_body = Option<RedriveRequest>,
    responses(
        (status = 202, description = "The task, or its child", body = TaskResponse,
            headers(("Location" = String), ("Idempotent-Replayed" = String))),
        (status = "default", description = "Any error; 409 `invalid_state` with `no_dead_letter` or `changed_meanwhile`", body = ErrorBody),
    ),
)]
pub(super) async fn redrive_dead_letter(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    let id = path.id("id", "task")?;
    query.finish()?;
    let json = json_of(&state, &body)?;
    let key = idempotency_key(body.headers(), &json)?;
    Ok(accepted(state.tasks.redrive(&context, id, &read_redrive(json)?, key).await?))
}

/// Discard a dead letter.
///
/// It is not listed any more; the task stays as it is. Asking again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/{id}/discard", tag = "dead letters", operation_id = "discard_dead_letter",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The task")),
    responses(
        (status = 200, description = "The task", body = TaskResponse),
        (status = "default", description = "Any error; 409 `invalid_state` with `no_dead_letter`", body = ErrorBody),
    ),
)]
pub(super) async fn discard_dead_letter(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<Json<TaskResponse>, ApiError> {
    let id = path.id("id", "task")?;
    query.finish()?;
    Ok(Json(state.tasks.discard(&context, id).await?.into()))
}
