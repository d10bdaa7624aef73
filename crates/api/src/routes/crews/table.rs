//! All routes of this word.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::handlers;
use crate::state::ApiState;

/// All routes of this word.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_crews))
        .routes(routes!(handlers::get_crew, handlers::put_crew))
        .routes(routes!(handlers::list_crew_versions))
        .routes(routes!(handlers::validate_crew))
}
