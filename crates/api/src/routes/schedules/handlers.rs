//! Create, list, read, change, delete.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crewd_domain::shared::ScheduleId;

use super::read::{ScheduleRequest, read_change, read_new};
use super::schemas::{ScheduleResponse, self_link};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, PathIds, Query, parse_json};
use crate::page::{Cursors, Page, limit};
use crate::state::ApiState;

/// Create a schedule.
///
/// The task is checked as if it were submitted now. Everything that is wrong is told at once.
#[utoipa::path(
    post, path = "/api/v1/schedules", tag = "schedules", operation_id = "create_schedule",
    security(("api_key" = []), ("bearer" = [])),
    request_body = ScheduleRequest,
    responses(
        (status = 201, description = "The schedule", body = ScheduleResponse, headers(("Location" = String))),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn create_schedule(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    query.finish()?;
    let fields = read_new(parse_json(body.json()?, state.limits.json_depth)?)?;
    let schedule = state.schedules.create(&context, fields).await?;
    let location = HeaderValue::from_str(&self_link(&schedule)).ok();
    let mut response = (StatusCode::CREATED, Json(ScheduleResponse::from(schedule))).into_response();
    if let Some(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// List schedules, newest first.
#[utoipa::path(
    get, path = "/api/v1/schedules", tag = "schedules", operation_id = "list_schedules",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of schedules", body = Page<ScheduleResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_schedules(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    mut query: Query,
) -> Result<Json<Page<ScheduleResponse>>, ApiError> {
    let cursors = Cursors::of("GET /api/v1/schedules", &context.tenant);
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    query.finish()?;
    let before = cursors.read(cursor, |place| place.parse::<ScheduleId>().ok())?;
    let page = state.schedules.list(&context, before, limit).await?;
    let next_cursor = page.next_before.map(|id| cursors.write(&id.to_string()));
    Ok(Json(Page { items: page.items.into_iter().map(ScheduleResponse::from).collect(), next_cursor }))
}

/// Read a schedule.
#[utoipa::path(
    get, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "get_schedule",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The schedule")),
    responses(
        (status = 200, description = "The schedule", body = ScheduleResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_schedule(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<Json<ScheduleResponse>, ApiError> {
    query.finish()?;
    Ok(Json(state.schedules.get(&context, path.id("id", "schedule")?).await?.into()))
}

/// Change a schedule.
///
/// Fields that are not given stay. `null` takes `start_at`, `end_at` and `max_runs` away; `task` is replaced whole; `cron` and
/// `interval_seconds` replace each other. A change of the times counts from now on.
#[utoipa::path(
    patch, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "change_schedule",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The schedule")),
    request_body = ScheduleRequest,
    responses(
        (status = 200, description = "The schedule as changed", body = ScheduleResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn change_schedule(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
    body: Body,
) -> Result<Json<ScheduleResponse>, ApiError> {
    let id = path.id("id", "schedule")?;
    query.finish()?;
    let fields = read_change(parse_json(body.json()?, state.limits.json_depth)?)?;
    Ok(Json(state.schedules.change(&context, id, &fields).await?.into()))
}

/// Delete a schedule and its records. Tasks that it has submitted stay and go on.
#[utoipa::path(
    delete, path = "/api/v1/schedules/{id}", tag = "schedules", operation_id = "delete_schedule",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The schedule")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn delete_schedule(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<StatusCode, ApiError> {
    let id = path.id("id", "schedule")?;
    query.finish()?;
    state.schedules.delete(&context, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
