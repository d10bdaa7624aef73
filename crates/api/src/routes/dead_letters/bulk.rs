//! Actions on many dead letters.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::read::{BulkRequest, json_of, read_bulk};
use super::schemas::BulkResponse;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, Query};
use crate::state::ApiState;

/// Try many dead letters again.
///
/// Each by itself, the newest first; what fails for one does not touch the others.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/redrive", tag = "dead letters", operation_id = "redrive_dead_letters",
    security(("api_key" = []), ("bearer" = [])),
    request_body = Option<BulkRequest>,
    responses(
        (status = 200, description = "What came of it", body = BulkResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn redrive_dead_letters(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
    body: Body,
) -> Result<Json<BulkResponse>, ApiError> {
    query.finish()?;
    let bulk = read_bulk(json_of(&state, &body)?, true)?;
    Ok(Json(state.tasks.redrive_all(&context, &bulk.filter, &bulk.from, bulk.limit).await?.into()))
}

/// Discard many dead letters.
#[utoipa::path(
    post, path = "/api/v1/dead-letters/discard", tag = "dead letters", operation_id = "discard_dead_letters",
    security(("api_key" = []), ("bearer" = [])),
    request_body = Option<BulkRequest>,
    responses(
        (status = 200, description = "What came of it", body = BulkResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn discard_dead_letters(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
    body: Body,
) -> Result<Json<BulkResponse>, ApiError> {
    query.finish()?;
    let bulk = read_bulk(json_of(&state, &body)?, false)?;
    Ok(Json(state.tasks.discard_all(&context, &bulk.filter, bulk.limit).await?.into()))
}
