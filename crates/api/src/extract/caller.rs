//! Who asks.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use crewd_application::context::RequestContext;
use crewd_application::error::ErrorCode;
use crewd_domain::shared::TenantId;

use crate::error::ApiError;
use crate::middleware::RequestInfo;
use crate::state::ApiState;

/// Parameters of a query that look like a key. Queries end up in logs and histories, so no key may stand there.
const SECRET_PARAMETERS: &[&str] =
    &["api_key", "apikey", "api-key", "x-api-key", "key", "token", "access_token", "authorization"];

/// A caller who may use the API. A handler that takes it cannot be reached without a good key.
pub(crate) struct Caller(pub(crate) RequestContext);

impl FromRequestParts<Arc<ApiState>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<ApiState>) -> Result<Self, ApiError> {
        if parts.uri.query().is_some_and(names_a_secret) {
            return Err(refused("keys are sent in a header, never in the address").because("credentials_in_query"));
        }
        let info = parts.extensions.get::<Arc<RequestInfo>>().cloned().unwrap_or_default();
        let (tenant, actor) = authenticate(&parts.headers, state)?;
        Ok(Self(RequestContext { tenant, actor, request_id: info.request_id.clone(), traceparent: info.traceparent.clone() }))
    }
}

fn authenticate(headers: &HeaderMap, state: &ApiState) -> Result<(TenantId, String), ApiError> {
    let known = presented(headers).and_then(|key| state.authenticator.authenticate(key));
    match known {
        Some(caller) => Ok((caller.tenant, caller.name)),
        None if !state.authenticator.is_required() => Ok((TenantId::default_tenant(), "anonymous".to_owned())),
        None if headers.contains_key("x-api-key") || headers.contains_key(AUTHORIZATION) => {
            Err(refused("the key is not known").because("invalid_api_key"))
        }
        None => {
            Err(refused("a key is needed: send `X-API-Key: <key>` or `Authorization: Bearer <key>`").because("missing_api_key"))
        }
    }
}

/// The key as the caller sent it. `X-API-Key` goes first.
fn presented(headers: &HeaderMap) -> Option<&str> {
    if let Some(key) = headers.get("x-api-key") {
        return key.to_str().ok();
    }
    let (scheme, key) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn refused(message: &'static str) -> ApiError {
    let challenge = HeaderValue::from_static("Bearer realm=\"crewd\"");
    ApiError::new(ErrorCode::Unauthenticated, message).header(WWW_AUTHENTICATE, challenge)
}

fn names_a_secret(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn keys_come_in_two_headers() {
        assert_eq!(presented(&headers(&[("x-api-key", "one")])), Some("one"));
        assert_eq!(presented(&headers(&[("authorization", "Bearer two")])), Some("two"));
        assert_eq!(presented(&headers(&[("authorization", "bearer two")])), Some("two"));
        assert_eq!(presented(&headers(&[("authorization", "Bearer two"), ("x-api-key", "one")])), Some("one"));
        assert_eq!(presented(&headers(&[("authorization", "Basic dHdv")])), None);
        assert_eq!(presented(&headers(&[("authorization", "two")])), None);
    }

    #[test]
    fn keys_in_addresses_are_seen() {
        for query in ["token=x", "a=1&api_key=x", "API_KEY=x", "access_token"] {
            assert!(names_a_secret(query), "{query}");
        }
        for query in ["", "limit=5", "metadata.token=x", "status=key"] {
            assert!(!names_a_secret(query), "{query}");
        }
    }
}
