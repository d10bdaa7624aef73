//! List.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::schemas::ModelResponse;
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Caller, Query};
use crate::page::{Cursors, Page, page_by_name};
use crate::state::ApiState;

/// List the models of this installation, by name.
#[utoipa::path(
    get, path = "/api/v1/models", tag = "models", operation_id = "list_models",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of models", body = Page<ModelResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_models(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
) -> Result<Json<Page<ModelResponse>>, ApiError> {
    let (default, simulated) = (state.model.default_model(), state.model.is_simulated());
    let mut names = state.model.models();
    names.sort();
    names.dedup();
    let models = names.into_iter().map(|name| ModelResponse { default: name == default, simulated, name }).collect();
    page_by_name(query, &Cursors::of("GET /api/v1/models", &context.tenant), models, |model| &model.name).map(Json)
}
