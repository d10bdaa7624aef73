//! A body of a content type that is understood, within its limits.

use std::sync::Arc;

use axum::body::{Body as HttpBody, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use bytes::Bytes;
use crewd_application::error::ErrorCode;
use http_body_util::{BodyExt, Limited};

use crate::error::ApiError;
use crate::state::ApiState;

/// What the content type says a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// `application/json`, or a type that ends in `+json`.
    Json,
    /// `application/yaml`, also under the names it had before it was registered.
    Yaml,
}

/// A body as it came, not larger than allowed. What is in it has not been looked at.
pub(crate) struct Body {
    /// What the content type says it is; nothing without a content type.
    kind: Option<BodyKind>,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Body {
    /// A body of this content type.
    #[cfg(test)]
    pub(crate) fn of(content_type: &'static str, text: &str) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, axum::http::HeaderValue::from_static(content_type))]);
        Self { kind: kind_of(&headers).ok().flatten(), headers, bytes: Bytes::from(text.to_owned()) }
    }

    /// The headers that came with it.
    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The text of a JSON body.
    ///
    /// # Errors
    /// `unsupported_media_type`, `bad_request`.
    pub(crate) fn json(&self) -> Result<&str, ApiError> {
        match self.kind {
            Some(BodyKind::Json) => self.text(),
            _ => Err(unsupported("the body must be `application/json`")),
        }
    }

    /// The text of a JSON body; nothing if there is no body at all.
    ///
    /// # Errors
    /// `unsupported_media_type`, `bad_request`.
    pub(crate) fn optional_json(&self) -> Result<Option<&str>, ApiError> {
        if self.bytes.is_empty() { Ok(None) } else { self.json().map(Some) }
    }

    /// The text of a definition, which may be JSON or YAML.
    ///
    /// # Errors
    /// `unsupported_media_type`, `bad_request`.
    pub(crate) fn definition(&self) -> Result<(BodyKind, &str), ApiError> {
        let kind = self.kind.ok_or_else(|| unsupported("the body must be `application/json` or `application/yaml`"))?;
        Ok((kind, self.text()?))
    }

    fn text(&self) -> Result<&str, ApiError> {
        if self.bytes.is_empty() {
            return Err(ApiError::new(ErrorCode::BadRequest, "the body is empty").because("empty_body"));
        }
        std::str::from_utf8(&self.bytes).map_err(|error| {
            let message = format!("the body is not UTF-8 from byte {} on", error.valid_up_to());
            ApiError::new(ErrorCode::BadRequest, message).because("invalid_encoding")
        })
    }
}

impl FromRequest<Arc<ApiState>> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &Arc<ApiState>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let kind = kind_of(&parts.headers)?;
        let bytes = read(body, state.limits.body_bytes).await?;
        Ok(Self { kind, headers: parts.headers, bytes })
    }
}

/// Checks all that headers can tell before a byte of the body is read.
fn kind_of(headers: &HeaderMap) -> Result<Option<BodyKind>, ApiError> {
    let is_encoded = |value: &axum::http::HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(is_encoded) {
        return Err(unsupported("compressed bodies are not accepted").because("encoding_not_supported"));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    if charset.is_some_and(|(_, name)| !name.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")) {
        return Err(unsupported("the body must be UTF-8"));
    }
    match essence.as_str() {
        "application/json" => Ok(Some(BodyKind::Json)),
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Ok(Some(BodyKind::Yaml)),
        other if other.starts_with("application/") && other.ends_with("+json") => Ok(Some(BodyKind::Json)),
        _ => Err(unsupported("the content type is not understood; send `application/json`")),
    }
}

/// Reads a body; one that says it is too large is not read at all, one that does not say is read up to the limit.
async fn read(body: HttpBody, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = || {
        let message = format!("the body is larger than {limit} bytes");
        ApiError::new(ErrorCode::PayloadTooLarge, message)
    };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ApiError::new(ErrorCode::BadRequest, "the body broke off").because("incomplete_body")),
    }
}

fn unsupported(message: &'static str) -> ApiError {
    ApiError::new(ErrorCode::UnsupportedMediaType, message)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn kind(name: HeaderName, value: &'static str) -> Result<Option<BodyKind>, ApiError> {
        kind_of(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
    }

    #[test]
    fn content_types_are_read_as_the_standard_says() {
        for json in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
            "application/merge-patch+json",
        ] {
            assert_eq!(kind(CONTENT_TYPE, json).unwrap(), Some(BodyKind::Json), "{json}");
        }
        assert_eq!(kind(CONTENT_TYPE, "application/yaml").unwrap(), Some(BodyKind::Yaml));
        assert_eq!(kind_of(&HeaderMap::new()).unwrap(), None);
        for other in ["text/xml", "multipart/form-data; boundary=x", "application/json; charset=latin1", "json", ""] {
            assert_eq!(kind(CONTENT_TYPE, other).unwrap_err().code(), ErrorCode::UnsupportedMediaType, "{other}");
        }
    }

    #[test]
    fn compressed_bodies_are_refused_before_they_are_read() {
        for encoding in ["gzip", "br", "x", "gzip, identity"] {
            let error = kind(CONTENT_ENCODING, encoding).unwrap_err();
            assert_eq!(error.details().reason.as_deref(), Some("encoding_not_supported"), "{encoding}");
        }
        assert!(kind(CONTENT_ENCODING, "identity").is_ok());
    }

    #[tokio::test]
    async fn a_body_may_have_exactly_the_limit() {
        assert_eq!(read(HttpBody::from("1234"), 4).await.unwrap(), "1234");
        assert_eq!(read(HttpBody::from("12345"), 4).await.unwrap_err().code(), ErrorCode::PayloadTooLarge);
        let pieces = futures::stream::iter(["123", "45"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece))));
        assert_eq!(
            read(HttpBody::from_stream(pieces), 4).await.unwrap_err().code(),
            ErrorCode::PayloadTooLarge,
            "without a length"
        );
        let broken = futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]);
        assert_eq!(
            read(HttpBody::from_stream(broken), 4).await.unwrap_err().details().reason.as_deref(),
            Some("incomplete_body")
        );
    }

    #[test]
    fn a_body_must_be_there_and_be_text() {
        let body = |kind, bytes: &'static [u8]| Body { kind, headers: HeaderMap::new(), bytes: Bytes::from_static(bytes) };
        assert_eq!(body(Some(BodyKind::Json), b"").json().unwrap_err().details().reason.as_deref(), Some("empty_body"));
        assert_eq!(
            body(Some(BodyKind::Json), b"{\"\xff\"").json().unwrap_err().details().reason.as_deref(),
            Some("invalid_encoding")
        );
        assert_eq!(body(Some(BodyKind::Yaml), b"a: 1").json().unwrap_err().code(), ErrorCode::UnsupportedMediaType);
        assert_eq!(body(None, b"{}").json().unwrap_err().code(), ErrorCode::UnsupportedMediaType);
        assert_eq!(body(None, b"").optional_json().unwrap(), None);
        assert_eq!(body(None, b"{}").definition().unwrap_err().code(), ErrorCode::UnsupportedMediaType);
    }
}
