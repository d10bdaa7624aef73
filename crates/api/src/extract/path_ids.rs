//! Ids named in the path.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use crewd_application::error::Error;

use crate::error::ApiError;

/// The parameters of a path. They are read only when asked for, so that a caller without a key learns nothing.
pub(crate) struct PathIds(Vec<(String, String)>);

impl PathIds {
    /// The id under a name of the route.
    ///
    /// # Errors
    /// `not_found` for anything that is no id: it looks the same as an id that nothing has.
    pub(crate) fn id<T: FromStr>(&self, name: &str, what: &str) -> Result<T, ApiError> {
        let text = self.0.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
        // Only the canonical 36 characters: braces, URNs and the form without hyphens name nothing.
        let id = text.filter(|text| text.len() == 36).and_then(|text| text.parse().ok());
        id.ok_or_else(|| Error::not_found(what).into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathIds {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        let owned = |(name, text): (&str, &str)| (name.to_owned(), text.to_owned());
        Ok(Self(params.iter().flatten().map(owned).collect()))
    }
}
