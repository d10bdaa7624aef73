//! The span of a request and its place in a trace.

use axum::http::{HeaderMap, Method};
use crewd_telemetry::TraceContext;
use crewd_telemetry::trace_context::{context_of, set_parent};
use tracing::Span;
use tracing::field::Empty;

/// The header that carries a trace from one process to the next.
pub(super) const TRACEPARENT: &str = "traceparent";

/// The span of a request, continuing the caller's trace if there is one.
pub(super) fn server_span(method: &Method, route: Option<&str>, path: &str, request_id: &str, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        "http.server.request",
        otel.name = route.map_or_else(|| method.to_string(), |route| format!("{method} {route}")),
        otel.kind = "server",
        request_id,
        http.request.method = method.as_str(),
        http.route = route,
        url.path = path,
        http.response.status_code = Empty,
        "error.type" = Empty,
    );
    if let Some(parent) = incoming(headers) {
        set_parent(&span, &parent);
    }
    span
}

/// What is handed on to the task and back to the caller.
pub(super) fn traceparent(span: &Span, headers: &HeaderMap) -> Option<String> {
    context_of(span).or_else(|| incoming(headers)).map(TraceContext::to_traceparent)
}

fn incoming(headers: &HeaderMap) -> Option<TraceContext> {
    headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(TraceContext::parse)
}
