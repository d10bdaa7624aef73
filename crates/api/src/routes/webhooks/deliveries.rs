//! The log, and sending again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use crewd_domain::shared::WebhookId;
use crewd_domain::webhooks::DeliveryStatus;
use uuid::Uuid;

use super::read::{RedeliverRequest, read_redeliver};
use super::schemas::{DeliveryResponse, RedeliveredResponse};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, PathIds, Query, parse_json};
use crate::page::{Cursors, Page, limit};
use crate::state::ApiState;

/// List the deliveries of a webhook, newest first.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "list_webhook_deliveries",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The webhook"),
        ("status" = Option<String>, Query, description = "`pending`, `delivered` or `failed`; all if it is not given"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of deliveries", body = Page<DeliveryResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_webhook_deliveries(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    mut query: Query,
) -> Result<Json<Page<DeliveryResponse>>, ApiError> {
    let id: WebhookId = path.id("id", "webhook")?;
    let status = query.text("status").map(|text| DeliveryStatus::parse(&text));
    if status == Some(None) {
        query.add("unknown_value", "status", "must be pending, delivered or failed");
    }
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    query.finish()?;
    let cursors = Cursors::of(&format!("GET /api/v1/webhooks/{id}/deliveries"), &context.tenant);
    let before = cursors.read(cursor, |place| place.parse().ok())?;
    let page = state.webhooks.deliveries(&context, id, status.flatten(), before, limit).await?;
    let next_cursor = page.next_before.map(|id| cursors.write(&id.to_string()));
    Ok(Json(Page { items: page.items.into_iter().map(DeliveryResponse::from).collect(), next_cursor }))
}

/// Send a delivery again, whatever came of it, with all attempts before it.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/deliveries/{delivery}/redeliver", tag = "webhooks",
    operation_id = "redeliver_webhook_delivery",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The webhook"),
        ("delivery" = uuid::Uuid, Path, description = "The delivery"),
    ),
    responses(
        (status = 202, description = "It will be sent", body = DeliveryResponse),
        (status = "default", description = "Any error; 409 `invalid_state` with `webhook_disabled`", body = ErrorBody),
    ),
)]
pub(super) async fn redeliver_webhook_delivery(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<(StatusCode, Json<DeliveryResponse>), ApiError> {
    query.finish()?;
    let id: WebhookId = path.id("id", "webhook")?;
    let delivery: Uuid = path.id("delivery", "delivery")?;
    let again = state.webhooks.redeliver(&context, id, delivery).await?;
    Ok((StatusCode::ACCEPTED, Json(again.into())))
}

/// Send all deliveries again that have failed for good.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/redeliver", tag = "webhooks", operation_id = "redeliver_failed_webhook_deliveries",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The webhook")),
    request_body = RedeliverRequest,
    responses(
        (status = 202, description = "They will be sent", body = RedeliveredResponse),
        (status = "default", description = "Any error; 409 `invalid_state` with `webhook_disabled`", body = ErrorBody),
    ),
)]
pub(super) async fn redeliver_failed_webhook_deliveries(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
    body: Body,
) -> Result<(StatusCode, Json<RedeliveredResponse>), ApiError> {
    query.finish()?;
    let id = path.id("id", "webhook")?;
    let since = read_redeliver(parse_json(body.json()?, state.limits.json_depth)?)?;
    let redelivered = state.webhooks.redeliver_failed(&context, id, since).await?;
    Ok((StatusCode::ACCEPTED, Json(RedeliveredResponse { redelivered })))
}
