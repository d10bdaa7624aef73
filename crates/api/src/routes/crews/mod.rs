//! Definitions of agents and their crew tasks.
//!
//! | module | what is in it |
//! |---|---|
//! | `schemas` | crews, versions and reports as clients see them |
//! | `source` | the files of a crew out of a JSON or YAML body |
//! | `yaml_sections` | one YAML document into the files of a crew, lines kept |
//! | `handlers` | list, read, put, versions, validate |

mod handlers;
mod schemas;
mod source;
#[cfg(test)]
mod tests;
mod yaml_sections;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ApiState;

/// All routes of this word.
pub(crate) fn router() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::new()
        .routes(routes!(handlers::list_crews))
        .routes(routes!(handlers::get_crew, handlers::put_crew))
        .routes(routes!(handlers::list_crew_versions))
        .routes(routes!(handlers::validate_crew))
}
