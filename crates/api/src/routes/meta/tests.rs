use std::sync::Arc;

use async_trait::async_trait;
use crewd_application::ports::{HealthCheck, HealthStatus};
use serde_json::json;

use crate::testing::Stage;

struct Check(&'static str, Option<HealthStatus>);

#[async_trait]
impl HealthCheck for Check {
    fn name(&self) -> &'static str {
        self.0
    }

    async fn check(&self) -> HealthStatus {
        match &self.1 {
            Some(status) => status.clone(),
            None => std::future::pending().await,
        }
    }
}

fn up(name: &'static str) -> Arc<dyn HealthCheck> {
    Arc::new(Check(name, Some(HealthStatus::Up)))
}

#[tokio::test]
async fn health_and_version_need_no_key() {
    let stage = Stage { key: None, ..Stage::with_keys() };
    assert_eq!(stage.get("/health/live").await.expect(200).json(), json!({"status": "up"}));
    assert_eq!(stage.get("/health/ready").await.expect(200).json(), json!({"status": "ready", "checks": []}));
    let version = stage.get("/version").await.expect(200).json();
    assert_eq!(version, json!({"name": "crewd", "version": "0.0.0-test", "commit": null, "api": "v1"}));
    for path in ["/metrics", "/openapi.json", "/docs", "/docs/"] {
        stage.get(path).await.expect(200);
    }
    stage.get("/api/v1/crews").await.expect_error(401, "unauthenticated");
}

#[tokio::test(start_paused = true)]
async fn readiness_names_what_is_down() {
    let down = Arc::new(Check("database", Some(HealthStatus::Down("it is locked".to_owned()))));
    let stage = Stage::with_health(vec![up("queue"), down, Arc::new(Check("migrations", None))]);
    let answer = stage.get("/health/ready").await;
    let details = answer.expect_error(503, "unavailable");
    assert_eq!(answer.json()["message"], "not ready: database, migrations");
    let expected = json!([{"name": "queue", "status": "up"}, {"name": "database", "status": "down", "message": "it is locked"},
        {"name": "migrations", "status": "down", "message": "no answer within 2 seconds"}]);
    assert_eq!((&details["reason"], &details["checks"]), (&json!("not_ready"), &expected));
    assert_eq!(answer.header("retry-after"), "1");
    let healthy = Stage::with_health(vec![up("database")]);
    healthy.get("/health/ready").await.expect(200);
    healthy.shutdown.cancel();
    healthy.get("/health/ready").await.expect_reason(503, "unavailable", "stopping");
    healthy.get("/health/live").await.expect(200);
}

#[tokio::test]
async fn what_is_degraded_is_named_and_keeps_nobody_away() {
    let slow = Arc::new(Check("redis", Some(HealthStatus::Degraded("it cannot be reached".to_owned()))));
    let answer = Stage::with_health(vec![up("database"), slow]).get("/health/ready").await.expect(200);
    let checks = json!([{"name": "database", "status": "up"},
        {"name": "redis", "status": "degraded", "message": "it cannot be reached"}]);
    assert_eq!(answer.json(), json!({"status": "ready", "checks": checks}));
}

#[tokio::test]
async fn metrics_are_labelled_by_route_and_refreshed_before_they_are_read() {
    let stage = Stage::with(|state| {
        let metrics = state.metrics.clone();
        state.before_scrape = Some(Arc::new(move || {
            metrics.set_queue_depth(7);
            Box::pin(std::future::ready(()))
        }));
    });
    stage.get("/api/v1/tasks/none").await;
    stage.get("/nowhere/at/all").await;
    let answer = stage.get("/metrics").await.expect(200);
    assert!(answer.header("content-type").starts_with("text/plain"));
    let text = answer.text();
    for line in [
        "http_requests_total{method=\"GET\",route=\"/api/v1/tasks/{id}\",status=\"404\"} 1",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "ai_task_queue_depth 7",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("nowhere") && !text.contains("tasks/none"), "{text}");
}

#[tokio::test]
async fn the_docs_page_loads_nothing_from_outside() {
    let stage = Stage::new();
    let page = stage.get("/docs").await.expect(200);
    assert!(page.header("content-security-policy").starts_with("default-src 'self'"));
    let mut parts = 0;
    for attribute in ["src=\"", "href=\""] {
        for target in page.text().split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(target.starts_with("/docs/"), "{target}");
            stage.get(target).await.expect(200);
            parts += 1;
        }
    }
    assert_eq!(parts, 6);
    let start = stage.get("/docs/swagger-initializer.js").await.expect(200);
    assert!(start.text().contains("/openapi.json") && start.text().contains("\"validatorUrl\": \"none\""), "{}", start.text());
    stage.get("/docs/nothing.js").await.expect_error(404, "not_found");
}

#[test]
fn the_document_names_every_route_once() {
    let document = serde_json::to_value(crate::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut routes = Vec::new();
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            routes.push(format!("{} {path}", method.to_uppercase()));
            ids.push(operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}")).to_owned());
            assert!(operation["summary"].is_string(), "{method} {path}");
            assert_eq!(operation["security"].is_array(), path.starts_with("/api/"), "{method} {path}");
        }
    }
    routes.sort();
    let expected = [
        "DELETE /api/v1/schedules/{id}",
        "DELETE /api/v1/webhooks/{id}",
        "GET /api/v1/approvals",
        "GET /api/v1/approvals/{id}",
        "GET /api/v1/crews",
        "GET /api/v1/crews/{name}",
        "GET /api/v1/crews/{name}/versions",
        "GET /api/v1/dead-letters",
        "GET /api/v1/dead-letters/{id}",
        "GET /api/v1/models",
        "GET /api/v1/schedules",
        "GET /api/v1/schedules/{id}",
        "GET /api/v1/schedules/{id}/fires",
        "GET /api/v1/tasks",
        "GET /api/v1/tasks/{id}",
        "GET /api/v1/tasks/{id}/events",
        "GET /api/v1/tasks/{id}/runs",
        "GET /api/v1/tasks/{id}/steps",
        "GET /api/v1/tasks/{id}/ws",
        "GET /api/v1/tools",
        "GET /api/v1/webhooks",
        "GET /api/v1/webhooks/{id}",
        "GET /api/v1/webhooks/{id}/deliveries",
        "GET /docs",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
        "GET /openapi.json",
        "GET /version",
        "PATCH /api/v1/schedules/{id}",
        "PATCH /api/v1/webhooks/{id}",
        "POST /api/v1/approvals/{id}/decision",
        "POST /api/v1/crews/validate",
        "POST /api/v1/dead-letters/discard",
        "POST /api/v1/dead-letters/redrive",
        "POST /api/v1/dead-letters/{id}/discard",
        "POST /api/v1/dead-letters/{id}/redrive",
        "POST /api/v1/schedules",
        "POST /api/v1/schedules/{id}/backfill",
        "POST /api/v1/schedules/{id}/trigger",
        "POST /api/v1/tasks",
        "POST /api/v1/tasks/{id}/cancel",
        "POST /api/v1/tasks/{id}/fork",
        "POST /api/v1/tasks/{id}/pause",
        "POST /api/v1/tasks/{id}/replay",
        "POST /api/v1/tasks/{id}/resume",
        "POST /api/v1/tasks/{id}/retry",
        "POST /api/v1/webhooks",
        "POST /api/v1/webhooks/{id}/deliveries/{delivery}/redeliver",
        "POST /api/v1/webhooks/{id}/redeliver",
        "POST /api/v1/webhooks/{id}/rotate",
        "PUT /api/v1/crews/{name}",
    ];
    assert_eq!(routes, expected);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), expected.len());
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    let text = serde_json::to_string(&crate::openapi()).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut references = 0;
    for piece in text.split("\"$ref\":\"#").skip(1) {
        let pointer = piece.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "nothing at {pointer}");
        references += 1;
    }
    assert!(references > 20, "{references}");
}
