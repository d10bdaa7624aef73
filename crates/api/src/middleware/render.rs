//! Writes the body of every answer that is not 2xx.

use std::sync::Arc;

use crate::error::{ApiError, ErrorBody, code_of};
use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

/// Gives an error the body of the contract and logs it if it is the server's fault. Other answers pass.
pub(super) fn render(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let noted = response.extensions_mut().remove::<Arc<ApiError>>();
    if noted.is_none() && !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = noted.unwrap_or_else(|| Arc::new(foreign(status)));
    if status.is_server_error() {
        log(&error);
    }
    let body = ErrorBody { code: error.code().as_str(), message: error.message(), request_id, details: error.details() };
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    let headers = response.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    *response.body_mut() = Body::from(bytes);
    response
}

/// The error that stands for an answer of the router or of a library, whose own words are not passed on.
fn foreign(status: StatusCode) -> ApiError {
    let message = match status {
        StatusCode::NOT_FOUND => "there is no such route",
        StatusCode::METHOD_NOT_ALLOWED => "the route does not have this method; the header `Allow` names those it has",
        other if other.is_server_error() => return ApiError::internal(),
        _ => "the request cannot be understood",
    };
    ApiError::new(code_of(status), message)
}

fn log(error: &ApiError) {
    let (code, message, causes) = (error.code().as_str(), error.message(), error.causes());
    tracing::error!(error.code = code, error.causes = causes, "request failed: {message}");
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use crewd_application::error::ErrorCode;
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::*;

    async fn rendered(response: Response) -> (Response, Value) {
        let (parts, body) = render(response, "r-1").into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(parts.headers[CONTENT_LENGTH], bytes.len().to_string());
        (Response::from_parts(parts, Body::empty()), serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn an_error_gets_its_body() {
        let (response, body) = rendered(ApiError::new(ErrorCode::NotFound, "there is no such task").into_response()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(body, json!({"code": "not_found", "message": "there is no such task", "request_id": "r-1", "details": {}}));
    }

    #[tokio::test]
    async fn foreign_answers_lose_their_words_and_keep_their_headers() {
        let foreign = (StatusCode::METHOD_NOT_ALLOWED, [("allow", "GET,HEAD"), ("content-type", "text/plain")], "internal words")
            .into_response();
        let (response, body) = rendered(foreign).await;
        assert_eq!(response.headers()["allow"], "GET,HEAD");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(body["code"], "method_not_allowed");
        assert!(!body.to_string().contains("internal words"));
    }

    #[tokio::test]
    async fn good_answers_pass_untouched() {
        let response = render("fine".into_response(), "r-1");
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(bytes, "fine");
    }
}
