use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use crewd_application::ports::{HealthCheck, HealthStatus, StoreError};
use serde_json::json;

use crate::testing::{KEY, Stage};

#[tokio::test]
async fn unknown_routes_and_wrong_methods_keep_the_contract() {
    let stage = Stage::new();
    for path in [
        "/",
        "/nowhere",
        "/api/v1/nowhere",
        "/api/v2/tasks",
        "/api/v1/tasks/",
        "/health",
        "/api/v1/tasks/x/nowhere",
        "/api/v1/flows",
        "/api/v1/approval",
    ] {
        stage.get(path).await.expect_error(404, "not_found");
    }
    let wrong = [
        ("DELETE", "/api/v1/tasks", "GET,HEAD,POST"),
        ("PUT", "/api/v1/tasks/x", "GET,HEAD"),
        ("POST", "/metrics", "GET,HEAD"),
        ("OPTIONS", "/api/v1/tasks", ""),
    ];
    for (method, path, allow) in wrong {
        let answer = stage.send(stage.request(method, path).body(Body::empty()).unwrap()).await;
        answer.expect_error(405, "method_not_allowed");
        let mut allowed: Vec<_> = answer.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert!(allow.is_empty() || allowed.join(",") == allow, "{method} {path}: {allowed:?}");
    }
}

#[tokio::test]
async fn request_ids_are_kept_or_replaced_and_always_returned() {
    let stage = Stage::new();
    let send = async |id: &str| {
        stage.send(stage.request("GET", "/api/v1/tasks/none").header("x-request-id", id).body(Body::empty()).unwrap()).await
    };
    assert_eq!(send("my-request-1").await.header("x-request-id"), "my-request-1");
    for wrong in ["", "has space", &"r".repeat(129)] {
        assert_eq!(send(wrong).await.header("x-request-id").len(), 36, "{wrong:?}");
    }
    for path in ["/health/live", "/nowhere", "/metrics", "/openapi.json"] {
        let answer = stage.get(path).await;
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn keys_are_checked_before_anything_else() {
    let stage = Stage { key: None, ..Stage::with_keys() };
    let send = async |name: &'static str, value: &str| {
        stage.send(stage.request("GET", "/api/v1/tasks/none").header(name, value).body(Body::empty()).unwrap()).await
    };
    let missing = stage.get("/api/v1/tasks/none").await;
    missing.expect_reason(401, "unauthenticated", "missing_api_key");
    assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"crewd\"");
    for (name, value) in
        [("x-api-key", "wrong"), ("x-api-key", ""), ("authorization", "Bearer wrong"), ("authorization", "Basic Zmlyc3Q=")]
    {
        send(name, value).await.expect_reason(401, "unauthenticated", "invalid_api_key");
    }
    send("x-api-key", KEY).await.expect_error(404, "not_found");
    send("authorization", &format!("Bearer {KEY}")).await.expect_error(404, "not_found");
    stage.get(&format!("/api/v1/tasks?api_key={KEY}")).await.expect_reason(401, "unauthenticated", "credentials_in_query");
    let body = stage.request("POST", "/api/v1/tasks").header("content-type", "application/json").body(Body::from("{")).unwrap();
    stage.send(body).await.expect_error(401, "unauthenticated");
    stage.get("/api/v1/tasks/x/ws").await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn headers_have_a_limit() {
    let stage = Stage::new();
    let send = async |bytes: usize| {
        stage.send(stage.request("GET", "/version").header("x-long", "x".repeat(bytes)).body(Body::empty()).unwrap()).await
    };
    send(15 * 1024).await.expect(200);
    let answer = send(17 * 1024).await;
    answer.expect_error(431, "request_header_fields_too_large");
    assert!(!answer.header("x-request-id").is_empty());
}

struct Broken;

#[async_trait]
impl HealthCheck for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn check(&self) -> HealthStatus {
        panic!("a secret of the inside");
    }
}

#[tokio::test]
async fn a_panic_is_an_answer_and_says_nothing() {
    let stage = Stage::with_health(vec![Arc::new(Broken)]);
    let answer = stage.get("/health/ready").await;
    answer.expect_error(500, "internal");
    assert!(!answer.text().contains("secret"));
    stage.get("/health/live").await.expect(200);
    let text = stage.get("/metrics").await;
    assert!(
        text.text().contains("http_requests_total{method=\"GET\",route=\"/health/ready\",status=\"500\"} 1"),
        "{}",
        text.text()
    );
}

#[tokio::test]
async fn a_failing_store_is_told_without_its_words() {
    let stage = Stage::new();
    let body = json!({"crew": "tea", "inputs": {"topic": "green"}});
    stage.store.fail_next_commit(StoreError::Unavailable("secret words".into()));
    let answer = stage.post("/api/v1/tasks", &body).await;
    answer.expect_reason(503, "unavailable", "database_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    stage.store.fail_next_commit(StoreError::Corrupt("secret words".to_owned()));
    let answer = stage.post("/api/v1/tasks", &body).await;
    answer.expect_error(500, "internal");
    assert!(!answer.text().contains("secret"));
}

#[tokio::test]
async fn allowed_origins_may_read_answers_and_others_not() {
    let stage = Stage::with(|state| state.allowed_origins = vec!["https://app.example".to_owned()]);
    let from = async |method: &str, origin: &str| {
        let request =
            stage.request(method, "/api/v1/tasks/none").header("origin", origin).header("access-control-request-method", "POST");
        stage.send(request.body(Body::empty()).unwrap()).await
    };
    let answer = from("GET", "https://app.example").await;
    answer.expect_error(404, "not_found");
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example");
    assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
    assert_eq!(from("GET", "https://other.example").await.header("access-control-allow-origin"), "");
    let preflight = from("OPTIONS", "https://app.example").await.expect(200);
    assert!(preflight.header("access-control-allow-headers").contains("idempotency-key"));
    let closed = Stage::new();
    let request = closed.request("GET", "/version").header("origin", "https://app.example").body(Body::empty()).unwrap();
    assert_eq!(closed.send(request).await.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn large_json_is_packed_and_small_answers_and_streams_are_not() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let send = async |path: &str, accept: &str| {
        let request = stage.request("GET", path).header("accept-encoding", "gzip").header("accept", accept);
        stage.open(request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(send("/openapi.json", "*/*").await.headers()["content-encoding"], "gzip");
    assert!(send("/version", "*/*").await.headers().get("content-encoding").is_none());
    let stream = send(&format!("/api/v1/tasks/{id}/events"), "text/event-stream").await;
    assert!(stream.headers().get("content-encoding").is_none());
    let plain = stage.get("/openapi.json").await.expect(200);
    assert_eq!(plain.header("content-encoding"), "");
}

#[tokio::test]
async fn a_trace_is_continued_and_returned() {
    let stage = Stage::new();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let send = async |value: &str| {
        stage.send(stage.request("GET", "/version").header("traceparent", value).body(Body::empty()).unwrap()).await
    };
    assert!(send(parent).await.expect(200).header("traceparent").contains("4bf92f3577b34da6a3ce929d0e0e4736"));
    assert_eq!(send("00-zz-zz-01").await.expect(200).header("traceparent"), "", "garbage is no trace");
    let body = json!({"crew": "tea", "inputs": {"topic": "green"}}).to_string();
    let request = stage.request("POST", "/api/v1/tasks").header("traceparent", parent).header("content-type", "application/json");
    let answer = stage.send(request.body(Body::from(body)).unwrap()).await.expect(202);
    let task = stage.view(answer.json()["id"].as_str().unwrap()).await.task;
    assert_eq!(task.traceparent.as_deref(), Some(parent));
    assert_eq!(task.request_id, answer.header("x-request-id"));
}
