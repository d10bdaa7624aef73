//! The task named in the path.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use crewd_application::error::Error;
use crewd_domain::shared::TaskId;

use crate::error::ApiError;

/// The `{id}` of a path. It is read only when asked for, so that a caller without a key learns nothing.
pub(crate) struct TaskPath(Option<TaskId>);

impl TaskPath {
    /// The task.
    ///
    /// # Errors
    /// `not_found` for anything that is no id: it looks the same as an id that nothing has.
    pub(crate) fn id(&self) -> Result<TaskId, ApiError> {
        self.0.ok_or_else(|| Error::not_found("task").into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TaskPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let text = params.as_ref().and_then(|params| params.iter().find(|(name, _)| *name == "id").map(|(_, text)| text));
        // Only the canonical 36 characters: braces, URNs and the form without hyphens name nothing.
        Ok(Self(text.filter(|text| text.len() == 36).and_then(|text| text.parse().ok())))
    }
}
