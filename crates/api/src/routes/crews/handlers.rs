//! List, read, put, versions, validate.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawPathParams, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crewd_application::error::Error;

use super::schemas::{CrewResponse, CrewSummary, CrewVersionResponse, ValidationResponse};
use super::source::{PutCrewRequest, ValidateCrewRequest, read_put, read_validate};
use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Caller, Query};
use crate::page::{Cursors, Page, page_by_name, page_in_order};
use crate::state::ApiState;

/// List the crews that can be run, by name.
#[utoipa::path(
    get, path = "/api/v1/crews", tag = "crews", operation_id = "list_crews",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of crews", body = Page<CrewSummary>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_crews(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    query: Query,
) -> Result<Json<Page<CrewSummary>>, ApiError> {
    let crews = state.crews.list(&context).into_iter().map(CrewSummary::from).collect();
    page_by_name(query, &Cursors::of("GET /api/v1/crews", &context.tenant), crews, |crew| &crew.name).map(Json)
}

/// Read a crew: its definition, and the inputs it asks for.
#[utoipa::path(
    get, path = "/api/v1/crews/{name}", tag = "crews", operation_id = "get_crew",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("name" = String, Path, description = "The crew"),
        ("version" = Option<String>, Query, description = "An exact version; the current one if it is not given"),
    ),
    responses(
        (status = 200, description = "The crew", body = CrewResponse),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn get_crew(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: RawPathParams,
    mut query: Query,
) -> Result<Json<CrewResponse>, ApiError> {
    let version = query.label("version");
    query.finish()?;
    let entry = state.crews.resolve(&context, &name_in(&path)?, version.as_deref()).await?;
    Ok(Json(entry.into()))
}

/// Add a crew, or a new version of one.
///
/// From now on tasks get this definition; those that were submitted before keep theirs. The same definition again
/// changes nothing. A YAML body has the keys `agents`, `tasks` and perhaps `crew`.
#[utoipa::path(
    put, path = "/api/v1/crews/{name}", tag = "crews", operation_id = "put_crew",
    security(("api_key" = []), ("bearer" = [])),
    params(("name" = String, Path, description = "The crew")),
    request_body(content((PutCrewRequest = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 201, description = "The crew is new", body = CrewResponse, headers(("Location" = String))),
        (status = 200, description = "The crew was known; this is its current definition now", body = CrewResponse),
        (status = "default", description = "Any error; `invalid_definition` tells all problems at once", body = ErrorBody),
    ),
)]
pub(super) async fn put_crew(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: RawPathParams,
    query: Query,
    body: Body,
) -> Result<Response, ApiError> {
    query.finish()?;
    let name = name_in(&path)?;
    let source = read_put(&body, &name, state.limits.json_depth)?;
    let is_known = state.crews.current(&context, &name).is_ok();
    let entry = state.crews.put(&context, &source).await?;
    let status = if is_known { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = (status, Json(CrewResponse::from(entry))).into_response();
    if !is_known && let Ok(location) = HeaderValue::from_str(&format!("/api/v1/crews/{name}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// List the versions of a crew, newest first.
#[utoipa::path(
    get, path = "/api/v1/crews/{name}/versions", tag = "crews", operation_id = "list_crew_versions",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("name" = String, Path, description = "The crew"),
        ("limit" = Option<u32>, Query, description = "1 to 200, 50 if it is not given"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, description = "A page of versions", body = Page<CrewVersionResponse>),
        (status = "default", description = "Any error", body = ErrorBody),
    ),
)]
pub(super) async fn list_crew_versions(
    State(state): State<Arc<ApiState>>,
    Caller(context): Caller,
    path: RawPathParams,
    query: Query,
) -> Result<Json<Page<CrewVersionResponse>>, ApiError> {
    let name = name_in(&path)?;
    let versions = state.crews.versions(&context, &name).await?.into_iter().map(CrewVersionResponse::from).collect();
    let cursors = Cursors::of(&format!("GET /api/v1/crews/{name}/versions"), &context.tenant);
    page_in_order(query, &cursors, versions, |line: &CrewVersionResponse| &line.version).map(Json)
}

/// Check a definition without keeping it.
///
/// All problems at once, each with its file, line, column, rule and a suggestion. With a YAML body, `name` and
/// `strict` stand in the query.
#[utoipa::path(
    post, path = "/api/v1/crews/validate", tag = "crews", operation_id = "validate_crew",
    security(("api_key" = []), ("bearer" = [])),
    params(
        ("name" = Option<String>, Query, description = "Name of the crew, where the body does not say"),
        ("strict" = Option<bool>, Query, description = "Whether warnings count as errors, where the body does not say"),
    ),
    request_body(content((ValidateCrewRequest = "application/json"), (String = "application/yaml"))),
    responses(
        (status = 200, description = "What was found", body = ValidationResponse),
        (status = "default", description = "Any error of the request as such", body = ErrorBody),
    ),
)]
pub(super) async fn validate_crew(
    State(state): State<Arc<ApiState>>,
    _caller: Caller,
    query: Query,
    body: Body,
) -> Result<Json<ValidationResponse>, ApiError> {
    let (source, strict) = read_validate(&body, query, state.limits.json_depth)?;
    let report = state.crews.validate(&source, strict);
    Ok(Json(ValidationResponse::of(&report, strict)))
}

/// The `{name}` of a path. Nothing is named with control characters, and none reaches a database.
fn name_in(path: &RawPathParams) -> Result<String, ApiError> {
    let name = path.iter().find(|(key, name)| *key == "name" && !name.chars().any(char::is_control));
    let name = name.map(|(_, name)| name.to_owned());
    name.ok_or_else(|| Error::not_found("crew").into())
}
