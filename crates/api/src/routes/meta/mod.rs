//! Health, metrics, version and documents. None of them needs a key.

mod documents;
mod handlers;
mod schemas;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

pub(crate) use documents::parts;

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
