//! List.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::schemas::ToolResponse;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Caller, Query};
use crate::page::{Cursors, Page, page_by_name};
use crate::state::ApiState;

/// List the tools of this installation, by name.
#[utoipa::path(
    get, path = "/api/v1/tools", tag = "tools", operation_id = "list_tools",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of tools", body = Page<ToolResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_tools(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
) -> Result<Json<Page<ToolResponse>>, ApiError> {
    let mut tools: Vec<ToolResponse> = state.tools.descriptors().into_iter().map(ToolResponse::from).collect();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    page_by_name(query, &Cursors::of("GET /api/v1/tools", &context.tenant), tools, |tool| &tool.name).map(Json)
}
