//! Add, list, read, change, remove endpoints; new secrets.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::read::{WebhookRequest, read_change, read_new};
use super::schemas::{WebhookResponse, WebhookSecretResponse};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, PathIds, Query, idempotency_key, parse_json};
use crate::page::{Cursors, Page, limit};
use crate::state::ApiState;

/// Add a webhook.
///
/// Deliveries follow Standard Webhooks 1.0. The answer has the secret, which is not shown again.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "webhooks", operation_id = "create_webhook",
    security(("api_key" = []), ("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters. The same key with the same body gives the first answer again, for 24 hours.")),
    request_body = WebhookRequest,
    responses(
        (status = 201, description = "It is told from now on", body = WebhookSecretResponse,
            headers(("Location" = String), ("Idempotent-Replayed" = String))),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn create_webhook(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    query.finish()?;
    let json = parse_json(body.json()?, state.limits.json_depth)?;
    let key = idempotency_key(body.headers(), &json)?;
    let made = state.webhooks.create(&context, read_new(json)?, key).await?;
    let location = HeaderValue::from_str(&format!("/api/v1/webhooks/{}", made.endpoint.id));
    let answer = WebhookSecretResponse { webhook: WebhookResponse::of(made.endpoint, state.clock.now()), secret: made.secret };
    let mut response = (StatusCode::CREATED, Json(answer)).into_response();
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    if made.replayed {
        response.headers_mut().insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// List webhooks, newest first. Those of single tasks are left out.
#[utoipa::path(
    get, path = "/api/v1/webhooks", tag = "webhooks", operation_id = "list_webhooks",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of webhooks", body = Page<WebhookResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_webhooks(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    mut query: Query,
) -> Result<Json<Page<WebhookResponse>>, ApiError> {
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    query.finish()?;
    let cursors = Cursors::of("GET /api/v1/webhooks", &context.tenant);
    let before = cursors.read(cursor, |place| place.parse().ok())?;
    let page = state.webhooks.list(&context, before, limit).await?;
    let next_cursor = page.next_before.map(|id| cursors.write(&id.to_string()));
    let now = state.clock.now();
    Ok(Json(Page { items: page.items.into_iter().map(|one| WebhookResponse::of(one, now)).collect(), next_cursor }))
}

/// Read a webhook.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "get_webhook",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The webhook")),
    responses(
        (status = 200, description = "The webhook, without its secret", body = WebhookResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_webhook(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<Json<WebhookResponse>, ApiError> {
    query.finish()?;
    let endpoint = state.webhooks.get(&context, path.id("id", "webhook")?).await?;
    Ok(Json(WebhookResponse::of(endpoint, state.clock.now())))
}

/// Change a webhook: what is given is changed.
///
/// `"disabled": true` stops it; what waits for it fails. `"disabled": false` takes it up again.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "change_webhook",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The webhook")),
    request_body = WebhookRequest,
    responses(
        (status = 200, description = "The webhook as it is now", body = WebhookResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn change_webhook(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
    body: Body,
) -> Result<Json<WebhookResponse>, ApiError> {
    query.finish()?;
    let id = path.id("id", "webhook")?;
    let change = read_change(parse_json(body.json()?, state.limits.json_depth)?)?;
    let endpoint = state.webhooks.change(&context, id, &change).await?;
    Ok(Json(WebhookResponse::of(endpoint, state.clock.now())))
}

/// Remove a webhook. What waits for it is not sent.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", tag = "webhooks", operation_id = "delete_webhook",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The webhook")),
    responses(
        (status = 204, description = "It is gone"),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn delete_webhook(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<StatusCode, ApiError> {
    query.finish()?;
    state.webhooks.delete(&context, path.id("id", "webhook")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a webhook a new secret.
///
/// The old one signs along for 24 hours: deliveries have both signatures.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/rotate", tag = "webhooks", operation_id = "rotate_webhook_secret",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The webhook")),
    responses(
        (status = 200, description = "The webhook with its new secret, which is not shown again", body = WebhookSecretResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn rotate_webhook_secret(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<Json<WebhookSecretResponse>, ApiError> {
    query.finish()?;
    let made = state.webhooks.rotate(&context, path.id("id", "webhook")?).await?;
    let webhook = WebhookResponse::of(made.endpoint, state.clock.now());
    Ok(Json(WebhookSecretResponse { webhook, secret: made.secret }))
}
