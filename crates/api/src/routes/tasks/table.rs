//! All routes of this word.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{events, fork, handlers, pause, retry, runs, socket, steps};
use crate::state::ApiState;

/// All routes of this word.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::submit_task, handlers::list_tasks))
        .routes(routes!(handlers::get_task))
        .routes(routes!(handlers::cancel_task))
        .routes(routes!(retry::retry_task))
        .routes(routes!(fork::fork_task))
        .routes(routes!(fork::replay_task))
        .routes(routes!(pause::pause_task))
        .routes(routes!(pause::resume_task))
        .routes(routes!(runs::list_runs))
        .routes(routes!(steps::get_task_steps))
        .routes(routes!(events::get_task_events))
        .routes(routes!(socket::follow_task))
}
