//! The document and a page to read it, without any outside request.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use crewd_application::error::Error;
use utoipa_swagger_ui::Config;

use crate::error::ApiError;
use crate::state::ApiState;

/// The page. All its parts come from this server, under absolute paths, so that `/docs` needs no redirect.
const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>crewd API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="stylesheet" href="/docs/index.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png" sizes="32x32">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js" charset="UTF-8"></script>
<script src="/docs/swagger-ui-standalone-preset.js" charset="UTF-8"></script>
<script src="/docs/swagger-initializer.js" charset="UTF-8"></script>
</body>
</html>
"#;

/// The browser itself refuses what would leave this server.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The document never changes while the process runs: it is made once, when somebody asks.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| serde_json::to_vec(&crate::openapi()).unwrap_or_default().into());

/// The parts of the page; they are no part of the document.
pub(crate) fn parts() -> Router<Arc<ApiState>> {
    Router::new().route("/docs/", get(get_docs)).route("/docs/{*part}", get(get_part))
}

/// Read this document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations", operation_id = "get_openapi",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)),
)]
pub(super) async fn get_openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], Body::from(DOCUMENT.clone())).into_response()
}

/// Read this document in a browser.
#[utoipa::path(
    get, path = "/docs", tag = "operations", operation_id = "get_docs",
    responses((status = 200, description = "A page without any outside request", body = String, content_type = "text/html")),
)]
pub(super) async fn get_docs() -> Response {
    ([(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY))], Html(PAGE)).into_response()
}

async fn get_part(Path(part): Path<String>) -> Result<Response, ApiError> {
    // Swagger UI would ask a server of its makers whether the document is valid.
    let config = Config::from("/openapi.json").validator_url("none").try_it_out_enabled(true);
    let file = utoipa_swagger_ui::serve(&part, Arc::new(config))
        .map_err(|error| ApiError::internal().caused_by(std::io::Error::other(error.to_string())))?;
    let file = file.ok_or_else(|| Error::not_found("page"))?;
    let mut response = Body::from(file.bytes.into_owned()).into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
        headers.insert(CONTENT_TYPE, kind);
    }
    if file.gzpipped {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    Ok(response)
}
