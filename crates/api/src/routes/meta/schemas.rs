//! What the server says about itself.

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::CheckLine;

/// Whether the process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LiveResponse {
    /// `up`.
    #[schema(example = "up")]
    pub(super) status: &'static str,
}

/// Whether the server can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadyResponse {
    /// `ready`.
    #[schema(example = "ready")]
    pub(super) status: &'static str,
    /// What was asked.
    pub(super) checks: Vec<CheckLine>,
}

/// What runs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionResponse {
    /// `crewd`.
    #[schema(example = "crewd")]
    pub(super) name: &'static str,
    /// The version of the package.
    #[schema(example = "0.1.0")]
    pub(super) version: String,
    /// The commit it was built from, where that is known.
    pub(super) commit: Option<String>,
    /// The version of the HTTP contract.
    #[schema(example = "v1")]
    pub(super) api: &'static str,
}
