//! All routes of this word.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{bulk, handlers};
use crate::state::ApiState;

/// All routes of this word.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_dead_letters))
        .routes(routes!(bulk::redrive_dead_letters))
        .routes(routes!(bulk::discard_dead_letters))
        .routes(routes!(handlers::get_dead_letter))
        .routes(routes!(handlers::redrive_dead_letter))
        .routes(routes!(handlers::discard_dead_letter))
}
