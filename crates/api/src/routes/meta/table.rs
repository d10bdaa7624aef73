//! All routes of this word.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{documents, handlers};
use crate::state::ApiState;

/// All routes of this word that stand in the document.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::get_live))
        .routes(routes!(handlers::get_ready))
        .routes(routes!(handlers::get_metrics))
        .routes(routes!(handlers::get_version))
        .routes(routes!(documents::get_openapi))
        .routes(routes!(documents::get_docs))
}
