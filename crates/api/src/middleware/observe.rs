//! The outermost layer: id, span, count, log, and one shape for everything that goes wrong.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crewd_application::error::ErrorCode;
use futures::FutureExt;
use tracing::{Instrument, Span};

use super::drain::Leftover;
use super::render::render;
use super::request_info::{REQUEST_ID, RequestInfo, request_id};
use super::trace::{TRACEPARENT, server_span, traceparent};
use crate::error::ApiError;
use crate::state::ApiState;

/// Stands for requests that no route takes.
const UNMATCHED: &str = "unmatched";
/// Routes that machines ask every few seconds; their lines are for debugging.
const QUIET: &[&str] = &["/health/live", "/health/ready", "/metrics"];

/// See the module.
pub(crate) async fn observe(State(state): State<Arc<ApiState>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str);
    let request_id = request_id(request.headers(), state.ids.as_ref());
    let span = server_span(&method, route, request.uri().path(), &request_id, request.headers());
    let info = Arc::new(RequestInfo { request_id, traceparent: traceparent(&span, request.headers()) });
    let head = header_bytes(request.headers());
    request.extensions_mut().insert(Arc::clone(&info));
    let response = if head > state.limits.header_bytes {
        headers_too_large(state.limits.header_bytes)
    } else {
        let (request, leftover) = Leftover::watch(request);
        let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
        if let Some(leftover) = leftover {
            leftover.drain().await;
        }
        answer.unwrap_or_else(|panic| span.in_scope(|| panicked(panic.as_ref())))
    };
    let mut response = span.in_scope(|| render(response, &info.request_id));
    mark(response.headers_mut(), &info);
    finish(&state, &span, &Finished { method, route: route.unwrap_or(UNMATCHED), status: response.status().as_u16(), started });
    response
}

struct Finished<'a> {
    method: Method,
    route: &'a str,
    status: u16,
    started: Instant,
}

/// Counts and logs what was answered.
fn finish(state: &ApiState, span: &Span, finished: &Finished<'_>) {
    let Finished { method, route, status, started } = finished;
    let seconds = started.elapsed().as_secs_f64();
    state.metrics.record_http(method.as_str(), route, *status, seconds);
    span.record("http.response.status_code", status);
    if *status >= 500 {
        span.record("error.type", status);
    }
    // Status, route and request id stand in the span, and so in the line.
    let duration_ms = (seconds * 1e6).round() / 1e3;
    span.in_scope(|| {
        if QUIET.contains(route) {
            tracing::debug!(duration_ms, "{method} {route} {status}");
        } else {
            tracing::info!(duration_ms, "{method} {route} {status}");
        }
    });
}

/// Sets the headers of every answer.
fn mark(headers: &mut HeaderMap, info: &RequestInfo) {
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set(REQUEST_ID, &info.request_id);
    if let Some(traceparent) = &info.traceparent {
        set(TRACEPARENT, traceparent);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// Bytes of all names and values.
fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len())).sum()
}

fn headers_too_large(limit: usize) -> Response {
    ApiError::new(ErrorCode::RequestHeaderFieldsTooLarge, format!("the headers have more than {limit} bytes")).into_response()
}

/// A defect: the client learns only its request id.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ApiError::internal().caused_by(std::io::Error::other(format!("panic: {}", text.unwrap_or("no text")))).into_response()
}
