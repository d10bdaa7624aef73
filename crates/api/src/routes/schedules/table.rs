//! All routes of this word.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{fires, handlers};
use crate::state::ApiState;

/// All routes of this word.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::create_schedule, handlers::list_schedules))
        .routes(routes!(handlers::get_schedule, handlers::change_schedule, handlers::delete_schedule))
        .routes(routes!(fires::trigger_schedule))
        .routes(routes!(fires::backfill_schedule))
        .routes(routes!(fires::list_fires))
}
