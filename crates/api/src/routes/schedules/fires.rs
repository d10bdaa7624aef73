//! Trigger, backfill, records.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::DateTime;
use crewd_domain::shared::ScheduleId;
use serde::Serialize;
use utoipa::ToSchema;

use super::read::{BackfillBody, read_backfill, read_nothing};
use super::schemas::FireResponse;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, PathIds, Query, parse_json};
use crate::page::{Cursors, Page, limit};
use crate::state::ApiState;
use crate::timestamp::Timestamp;

/// What a backfill has done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BackfillResponse {
    /// Records of the tasks it submitted, oldest first.
    items: Vec<FireResponse>,
    /// `from` of the next backfill; `null` when every time has its task.
    next_from: Option<Timestamp>,
}

/// Submit the task of a schedule now.
///
/// Also while it is paused, and beside its tasks that go on. It does not count for `max_runs`.
#[utoipa::path(
    post, path = "/api/v1/schedules/{id}/trigger", tag = "schedules", operation_id = "trigger_schedule",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The schedule")),
    responses(
        (status = 202, description = "The record of the fire; `task_id` names the task", body = FireResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn trigger_schedule(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
    body: Body,
) -> Result<(StatusCode, Json<FireResponse>), ApiError> {
    let id = path.id("id", "schedule")?;
    query.finish()?;
    if let Some(text) = body.optional_json()? {
        read_nothing(parse_json(text, state.limits.json_depth)?)?;
    }
    let fire = state.schedules.trigger(&context, id).await?;
    Ok((StatusCode::ACCEPTED, Json(fire.into())))
}

/// Submit a task for each fire time of the past that has none.
///
/// Asking twice does nothing twice.
#[utoipa::path(
    post, path = "/api/v1/schedules/{id}/backfill", tag = "schedules", operation_id = "backfill_schedule",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The schedule")),
    request_body = BackfillBody,
    responses(
        (status = 202, description = "What was submitted", body = BackfillResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn backfill_schedule(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
    body: Body,
) -> Result<(StatusCode, Json<BackfillResponse>), ApiError> {
    let id = path.id("id", "schedule")?;
    query.finish()?;
    let request = read_backfill(parse_json(body.json()?, state.limits.json_depth)?)?;
    let done = state.schedules.backfill(&context, id, request).await?;
    let items = done.items.into_iter().map(FireResponse::from).collect();
    Ok((StatusCode::ACCEPTED, Json(BackfillResponse { items, next_from: done.next_from.map(Timestamp) })))
}

/// List what became of the times of a schedule, latest first.
#[utoipa::path(
    get, path = "/api/v1/schedules/{id}/fires", tag = "schedules", operation_id = "list_schedule_fires",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The schedule"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of records", body = Page<FireResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_fires(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    mut query: Query,
) -> Result<Json<Page<FireResponse>>, ApiError> {
    let id: ScheduleId = path.id("id", "schedule")?;
    let cursors = Cursors::of(&format!("GET /api/v1/schedules/{id}/fires"), &context.tenant);
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    query.finish()?;
    let place = |text: &str| text.parse().ok().and_then(DateTime::from_timestamp_micros);
    let before = cursors.read(cursor, place)?;
    let (fires, next) = state.schedules.fires(&context, id, before, limit).await?;
    let next_cursor = next.map(|time| cursors.write(&time.timestamp_micros().to_string()));
    Ok(Json(Page { items: fires.into_iter().map(FireResponse::from).collect(), next_cursor }))
}
