//! A model as clients see it.

use serde::Serialize;
use utoipa::ToSchema;

/// A model that definitions can name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelResponse {
    /// The name that definitions use.
    #[schema(example = "qwen-plus")]
    pub(super) name: String,
    /// Whether agents without a model get this one.
    pub(super) default: bool,
    /// Whether its answers are made up by the offline provider.
    pub(super) simulated: bool,
}
