//! List, read, decide.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use crewd_application::approvals::revision;
use crewd_application::ports::ApprovalFilter;
use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus};
use crewd_domain::shared::TenantId;

use super::decision::{DecisionRequest, read_decision};
use super::schemas::{ApprovalResponse, DecisionTakenResponse};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, PathIds, Query, if_match, parse_json};
use crate::page::{Cursors, Page, limit};
use crate::state::ApiState;

/// List approvals, newest first.
#[utoipa::path(
    get, path = "/api/v1/approvals", tag = "approvals", operation_id = "list_approvals",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("status" = Option<String>, Query, description = "`pending`, `decided`, `expired` or `withdrawn`; all if it is not given"),
        ("kind" = Option<String>, Query, description = "`tool`, `question` or `reconcile`"),
        ("task" = Option<uuid::Uuid>, Query, description = "Only those of this task"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of approvals", body = Page<ApprovalResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_approvals(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    mut query: Query,
) -> Result<Json<Page<ApprovalResponse>>, ApiError> {
    let filter = ApprovalFilter {
        status: one_of(&mut query, "status", ApprovalStatus::parse),
        kind: one_of(&mut query, "kind", ApprovalKind::parse),
        task_id: one_of(&mut query, "task", |text| text.parse().ok()),
    };
    let limit = limit(&mut query);
    let cursor = query.text("cursor");
    query.finish()?;
    let cursors = cursors(&context.tenant);
    let before = cursors.read(cursor, |place| place.parse().ok())?;
    let page = state.approvals.list(&context, &filter, before, limit).await?;
    let next_cursor = page.next_before.map(|id| cursors.write(&id.to_string()));
    Ok(Json(Page { items: page.items.into_iter().map(ApprovalResponse::from).collect(), next_cursor }))
}

/// Read an approval.
#[utoipa::path(
    get, path = "/api/v1/approvals/{id}", tag = "approvals", operation_id = "get_approval",
    security(("api_key" = []), ("bearer" = [])),
    params(("id" = uuid::Uuid, Path, description = "The approval")),
    responses(
        (status = 200, description = "The approval", body = ApprovalResponse, headers(("ETag" = String, description = "For `If-Match` of the decision"))),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_approval(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
) -> Result<Response, ApiError> {
    query.finish()?;
    let approval = state.approvals.get(&context, path.id("id", "approval")?).await?;
    let tag = entity_tag(&approval);
    Ok(with_tag(tag, Json(ApprovalResponse::from(approval))))
}

/// Decide.
///
/// The first valid decision counts and stays. The same one by the same person again answers 200, every other one 409.
#[utoipa::path(
    post, path = "/api/v1/approvals/{id}/decision", tag = "approvals", operation_id = "decide_approval",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("id" = uuid::Uuid, Path, description = "The approval"),
        ("If-Match" = Option<String>, Header, description = "`ETag` of the approval as it was read"),
    ),
    request_body = DecisionRequest,
    responses(
        (status = 200, description = "The decision counts", body = DecisionTakenResponse, headers(("ETag" = String))),
        (status = "default", description = "Any error; 409 `conflict` with `already_decided`, `stale` or `arguments_changed`, 409 `invalid_state` with `expired` or `task_ended`", body = ErrorBody),
    ),
)]
pub(super) async fn decide_approval(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: PathIds,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    query.finish()?;
    let id = path.id("id", "approval")?;
    let json = parse_json(body.json()?, state.limits.json_depth)?;
    let request = read_decision(json, if_match(body.headers()))?;
    let taken = state.approvals.decide(&context, id, &request).await?;
    let tag = entity_tag(&taken.approval);
    let answer = DecisionTakenResponse { approval: taken.approval.into(), applied_seq: taken.applied_seq };
    Ok(with_tag(tag, Json(answer)))
}

fn cursors(tenant: &TenantId) -> Cursors {
    Cursors::of("GET /api/v1/approvals", tenant)
}

fn one_of<T>(query: &mut Query, name: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = query.text(name)?;
    let value = parse(&text);
    if value.is_none() {
        query.add("unknown_value", name, "is none of its values");
    }
    value
}

fn entity_tag(approval: &Approval) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("\"{}\"", revision(approval))).ok()
}

fn with_tag(tag: Option<HeaderValue>, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
