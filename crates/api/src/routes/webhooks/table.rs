//! All routes of this word.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{deliveries, handlers};
use crate::state::ApiState;

/// All routes of this word.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::create_webhook, handlers::list_webhooks))
        .routes(routes!(handlers::get_webhook, handlers::change_webhook, handlers::delete_webhook))
        .routes(routes!(handlers::rotate_webhook_secret))
        .routes(routes!(deliveries::list_webhook_deliveries))
        .routes(routes!(deliveries::redeliver_webhook_delivery))
        .routes(routes!(deliveries::redeliver_failed_webhook_deliveries))
}
