//! Health, metrics, version.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use crewd_application::error::ErrorCode;
use crewd_application::ports::{HealthCheck, HealthStatus};
use crewd_telemetry::Metrics;
use futures::future::join_all;

use super::schemas::{LiveResponse, ReadyResponse, VersionResponse};
use crate::error::{ApiError, CheckLine, ErrorBody};
use crate::state::ApiState;

/// A part that does not answer for so long is down.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// Does the process answer?
#[utoipa::path(
    get, path = "/health/live", tag = "operations", operation_id = "get_live",
    responses((status = 200, description = "It does", body = LiveResponse)),
)]
pub(super) async fn get_live() -> Json<LiveResponse> {
    Json(LiveResponse { status: "up" })
}

/// Can the server do its work?
#[utoipa::path(
    get, path = "/health/ready", tag = "operations", operation_id = "get_ready",
    responses(
        (status = 200, description = "It can; a check that says `degraded` costs time, not work", body = ReadyResponse),
        (status = 503, description = "It cannot; `details.checks` names what is down", body = ErrorBody),
    ),
)]
pub(super) async fn get_ready(State(state): State<Arc<ApiState>>) -> Result<Json<ReadyResponse>, ApiError> {
    let checks = join_all(state.health.iter().map(|check| ask(check.as_ref()))).await;
    let down: Vec<_> = checks.iter().filter(|line| line.status == "down").map(|line| line.name).collect();
    if state.stopping.is_cancelled() {
        return Err(ApiError::new(ErrorCode::Unavailable, "the server is stopping").because("stopping").checks(checks));
    }
    if down.is_empty() {
        return Ok(Json(ReadyResponse { status: "ready", checks }));
    }
    let message = format!("not ready: {}", down.join(", "));
    Err(ApiError::new(ErrorCode::Unavailable, message).because("not_ready").checks(checks))
}

async fn ask(check: &dyn HealthCheck) -> CheckLine {
    let answer = tokio::time::timeout(CHECK_LIMIT, check.check()).await;
    let (status, message) = match answer {
        Ok(HealthStatus::Up) => ("up", None),
        Ok(HealthStatus::Degraded(reason)) => ("degraded", Some(reason)),
        Ok(HealthStatus::Down(reason)) => ("down", Some(reason)),
        Err(_) => ("down", Some(format!("no answer within {} seconds", CHECK_LIMIT.as_secs()))),
    };
    CheckLine { name: check.name(), status, message }
}

/// Read the metrics, in Prometheus' text form.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "get_metrics",
    responses(
        (status = 200, description = "All metrics", body = String, content_type = "text/plain"),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_metrics(State(state): State<Arc<ApiState>>) -> Result<impl IntoResponse, ApiError> {
    if let Some(prepare) = &state.before_scrape {
        prepare().await;
    }
    let text = state.metrics.encode().map_err(|error| ApiError::internal().caused_by(error))?;
    Ok(([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], text))
}

/// Which version runs?
#[utoipa::path(
    get, path = "/version", tag = "operations", operation_id = "get_version",
    responses((status = 200, description = "The version", body = VersionResponse)),
)]
pub(super) async fn get_version(State(state): State<Arc<ApiState>>) -> Json<VersionResponse> {
    let build = state.build.clone();
    Json(VersionResponse { name: "crewd", version: build.version, commit: build.commit, api: "v1" })
}
