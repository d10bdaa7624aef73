//! Which origins may call from a browser.

use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// The layer for these origins; nothing if there are none. Cookies are never allowed, so `*` is harmless.
pub(crate) fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok()))
    };
    let named = |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
    let mut request = named(&["x-api-key", "x-request-id", "idempotency-key", "prefer", "last-event-id", "traceparent"]);
    request.extend([AUTHORIZATION, CONTENT_TYPE]);
    let mut response = named(&["x-request-id", "traceparent", "idempotent-replayed", "preference-applied"]);
    response.extend([LOCATION, RETRY_AFTER]);
    let layer = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(request)
        .expose_headers(response)
        .max_age(Duration::from_secs(600));
    Some(layer)
}
