//! Submit work and follow it to its end.
//!
//! | module | what is in it |
//! |---|---|
//! | `schemas` | the task as clients see it |
//! | `submit` | the body of a submission and its rules |
//! | `handlers` | submit, read, list, cancel |
//! | `list` | filters of the list |
//! | `steps` | the journal as a tree |
//! | `events` | the log as JSON or as server-sent events |
//! | `socket`, `socket_operations` | the log over a WebSocket, and what clients may say there |

mod events;
mod handlers;
mod list;
mod schemas;
mod socket;
mod socket_operations;
#[cfg(test)]
mod socket_tests;
mod steps;
#[cfg(test)]
mod stream_tests;
mod submit;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

pub use schemas::task_json;

/// All routes of this word.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::submit_task, handlers::list_tasks))
        .routes(routes!(handlers::get_task))
        .routes(routes!(handlers::cancel_task))
        .routes(routes!(steps::get_task_steps))
        .routes(routes!(events::get_task_events))
        .routes(routes!(socket::follow_task))
}
