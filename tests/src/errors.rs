//! The error contract: every non-2xx answer, from whatever layer, has one shape.

use serde_json::Value;

use crate::client::Answer;

/// Panics unless the body is exactly `{code, message, request_id, details}` and agrees with the headers.
pub fn check_shape(answer: &Answer) {
    let shown = || format!("{} {} -> {} {:?}\n{}", answer.method, answer.path, answer.status, answer.headers, answer.text);
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("application/json"), "error body must be JSON, is {kind:?}: {}", shown());
    let body: Value = serde_json::from_str(&answer.text).unwrap_or_else(|_| panic!("error body must be JSON: {}", shown()));
    let object = body.as_object().unwrap_or_else(|| panic!("error body must be an object: {}", shown()));
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["code", "details", "message", "request_id"], "fields of the error body: {}", shown());
    let code = body["code"].as_str().unwrap_or_default();
    let snake_case = !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit());
    assert!(snake_case, "`code` must be snake_case: {}", shown());
    assert!(!body["message"].as_str().unwrap_or_default().is_empty(), "`message` must say something: {}", shown());
    assert!(body["details"].is_object(), "`details` must be an object: {}", shown());
    assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"), "request id of body and header: {}", shown());
    check_no_internals(&body, &shown);
}

/// Text that only the log may hold.
fn check_no_internals(body: &Value, shown: &dyn Fn() -> String) {
    let public = format!("{} {}", body["message"], body["details"]);
    for internal in ["panicked at", "SELECT ", "sqlx", "sea_orm", "sqlite", ".rs:", "/crates/", "RUST_BACKTRACE"] {
        assert!(!public.contains(internal), "internal text {internal:?} in an error body: {}", shown());
    }
}

/// Panics unless the answer has this status and this code; gives its body.
pub fn expect_error(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{} {}: {}", answer.method, answer.path, answer.text);
    check_shape(answer);
    let body = answer.json();
    assert_eq!(body["code"], code, "{} {}: {}", answer.method, answer.path, answer.text);
    body
}

/// As [`expect_error`], and one of `details.fields` must point at `pointer`.
pub fn expect_field_error(answer: &Answer, status: u16, code: &str, pointer: &str) -> Value {
    let body = expect_error(answer, status, code);
    let fields = body["details"]["fields"].as_array().cloned().unwrap_or_default();
    let named =
        fields.iter().any(|field| field["pointer"] == pointer && !field["message"].as_str().unwrap_or_default().is_empty());
    assert!(named, "no field error at {pointer:?}: {}", answer.text);
    body
}

/// As [`expect_error`], and `details.reason` must be `reason`.
pub fn expect_reason(answer: &Answer, status: u16, code: &str, reason: &str) -> Value {
    let body = expect_error(answer, status, code);
    assert_eq!(body["details"]["reason"], reason, "{} {}: {}", answer.method, answer.path, answer.text);
    body
}
