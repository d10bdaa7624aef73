//! Health, metrics, version, documents, and what every answer carries.

use crewd_tests::errors::expect_error;
use crewd_tests::fake_llm::Turn;
use crewd_tests::runtime::run;
use serde_json::json;

use crate::stage::{about, plan, stage};

#[test]
fn health_and_version_answer() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        client.get("/health/live").await.expect(200);
        let ready = client.get("/health/ready").await.expect(200);
        assert!(ready.json().is_object(), "{}", ready.text);
        let version = client.get("/version").await.expect(200).json();
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"), "{version}");
    });
}

#[test]
fn metrics_have_the_documented_names_and_labels() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("wren-metrics");
        scenario.always(Turn::text("counted").usage(7, 3));
        client.run_crew("single", &about("wren-metrics")).await.expect("succeeded");
        client.get("/api/v1/tasks/none").await;
        let answer = client.get("/metrics").await.expect(200);
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{:?}", answer.headers);
        let text = &answer.text;
        for sample in [
            "ai_token_usage_total{agent=\"analyst\",model=\"fake-model\",type=\"input\"}",
            "ai_token_usage_total{agent=\"analyst\",model=\"fake-model\",type=\"output\"}",
            "ai_task_queue_depth",
            "crew_execution_seconds_count{crew=\"single\",status=\"succeeded\"}",
            "llm_request_duration_seconds_bucket{model=\"fake-model\"",
            "llm_tokens_total{model=\"fake-model\",type=\"input\"}",
            "llm_time_to_first_token_seconds_bucket{model=\"fake-model\"",
            "http_request_duration_seconds_bucket",
            "db_pool_connections",
            "crewd_build_info",
        ] {
            assert!(text.contains(sample), "{sample} is missing in\n{text}");
        }
        let line = |start: &str, needles: &[&str]| {
            text.lines().any(|line| line.starts_with(start) && needles.iter().all(|needle| line.contains(needle)))
        };
        assert!(line("http_requests_total", &["method=\"POST\"", "route=\"/api/v1/tasks\"", "status=\"202\""]), "{text}");
        assert!(line("http_requests_total", &["route=\"/api/v1/tasks/{id}\"", "status=\"404\""]), "routes, not paths: {text}");
        assert!(line("llm_requests_total", &["model=\"fake-model\"", "status="]), "{text}");
        assert!(!text.contains("/api/v1/tasks/none"), "no raw path becomes a label");
        for family in
            ["ai_token_usage_total", "ai_task_queue_depth", "crew_execution_seconds", "llm_requests_total", "http_requests_total"]
        {
            assert!(
                text.contains(&format!("# HELP {family} ")) && text.contains(&format!("# TYPE {family} ")),
                "{family} is explained"
            );
        }
    });
}

#[test]
fn failures_are_counted_by_agent_and_kind() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("wren-error").always(crewd_tests::fake_llm::Fault::Status(401, "invalid_api_key", "no"));
        client.run_crew("single", &about("wren-error")).await.expect("failed");
        let text = client.get("/metrics").await.text;
        let counted = text.lines().any(|line| {
            line.starts_with("ai_agent_error_total{") && line.contains("agent=\"analyst\"") && line.contains("kind=")
        });
        assert!(counted, "{text}");
    });
}

#[test]
fn the_document_is_openapi_3_1_and_complete() {
    run(async {
        let (app, _) = stage().await;
        let document = app.client().get("/openapi.json").await.expect(200).json();
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", document["openapi"]);
        let paths = document["paths"].as_object().expect("paths");
        for path in [
            "/api/v1/tasks",
            "/api/v1/tasks/{id}",
            "/api/v1/tasks/{id}/cancel",
            "/api/v1/tasks/{id}/steps",
            "/api/v1/tasks/{id}/events",
            "/api/v1/tasks/{id}/ws",
            "/api/v1/crews",
            "/api/v1/crews/{name}",
            "/api/v1/crews/{name}/versions",
            "/api/v1/crews/validate",
            "/api/v1/tools",
            "/api/v1/models",
            "/health/live",
            "/health/ready",
            "/metrics",
            "/version",
        ] {
            assert!(paths.contains_key(path), "{path} is missing: {:?}", paths.keys().collect::<Vec<_>>());
        }
        let mut ids = Vec::new();
        for (path, item) in paths {
            for (method, operation) in item
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(method, _)| ["get", "post", "put", "patch", "delete"].contains(&method.as_str()))
            {
                let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no operationId"));
                assert!(!ids.contains(&id), "operationId {id} twice");
                ids.push(id);
                let has_text = operation["summary"].is_string() || operation["description"].is_string();
                assert!(has_text, "{method} {path} says nothing");
                assert!(operation["responses"].as_object().is_some_and(|responses| !responses.is_empty()), "{method} {path}");
            }
        }
    });
}

#[test]
fn every_reference_in_the_document_leads_somewhere() {
    run(async {
        let (app, _) = stage().await;
        let answer = app.client().get("/openapi.json").await.expect(200);
        let document = answer.json();
        let mut references = 0;
        for piece in answer.text.split("\"$ref\":\"#").skip(1) {
            let pointer = piece.split('"').next().unwrap_or_default();
            assert!(document.pointer(pointer).is_some(), "nothing at {pointer}");
            references += 1;
        }
        assert!(references > 10, "schemas are shared: {references}");
    });
}

#[test]
fn the_docs_page_loads_nothing_from_outside() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let mut page = client.get("/docs").await;
        let mut base = "/docs/".to_owned();
        for _ in 0..3 {
            let Some(target) = page.header("location").filter(|_| (300..400).contains(&page.status)).map(str::to_owned) else {
                break;
            };
            base = target.clone();
            page = client.get(&target).await;
        }
        assert_eq!(page.status, 200, "{page:?}");
        let mut local = 0;
        for attribute in ["src=\"", "href=\""] {
            for target in page.text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(!target.starts_with("http") && !target.starts_with("//"), "the page loads {target}");
                if !target.is_empty() && !target.starts_with(['#', 'd']) {
                    let path = if target.starts_with('/') {
                        target.to_owned()
                    } else {
                        format!("{}/{}", base.trim_end_matches('/'), target.trim_start_matches("./"))
                    };
                    client.get(&path).await.expect(200);
                    local += 1;
                }
            }
        }
        assert!(local > 0, "the page has parts: {}", page.text);
    });
}

#[test]
fn request_ids_are_kept_or_replaced_and_always_returned() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let send = async |id: &str| client.send(client.request("GET", "/api/v1/tasks/none").header("x-request-id", id)).await;
        assert_eq!(send("my-request-1").await.header("x-request-id"), Some("my-request-1"));
        let longest = "r".repeat(128);
        assert_eq!(send(&longest).await.header("x-request-id"), Some(longest.as_str()));
        for wrong in ["", "has space", &"r".repeat(129)] {
            let answer = send(wrong).await;
            let given = answer.header("x-request-id").unwrap_or_default();
            assert!(!given.is_empty() && given != wrong, "{wrong:?} became {given:?}");
        }
        for path in ["/health/live", "/nowhere", "/metrics", "/openapi.json"] {
            assert!(client.get(path).await.header("x-request-id").is_some_and(|id| !id.is_empty()), "{path}");
        }
    });
}

#[test]
fn unknown_paths_and_wrong_methods_keep_the_contract() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for path in ["/", "/nowhere", "/api/v1/nowhere", "/api/v2/tasks", "/api/v1/tasks/", "/health"] {
            let answer = client.get(path).await;
            if answer.status != 200 && !(300..400).contains(&answer.status) {
                expect_error(&answer, 404, "not_found");
            }
        }
        for (method, path) in [
            ("DELETE", "/api/v1/tasks"),
            ("PUT", "/api/v1/tasks/x"),
            ("POST", "/health/live"),
            ("PATCH", "/api/v1/crews"),
            ("POST", "/metrics"),
        ] {
            let answer = client.send(client.request(method, path)).await;
            expect_error(&answer, 405, "method_not_allowed");
            assert!(answer.header("allow").is_some_and(|allow| !allow.is_empty()), "{method} {path}: {:?}", answer.headers);
        }
    });
}

#[test]
fn readiness_names_its_checks() {
    run(async {
        let (app, _) = stage().await;
        let body = app.client().get("/health/ready").await.expect(200).json();
        for check in ["database", "migrations", "queue"] {
            assert!(body.to_string().contains(check), "{check} is not named: {body}");
        }
    });
}

#[test]
fn a_trace_parent_is_accepted_and_returned() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let request = client.request("GET", "/api/v1/crews").header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
        let answer = client.send(request).await.expect(200);
        let returned = answer.header("traceparent").or(answer.header("traceresponse")).unwrap_or_default();
        assert!(returned.contains(trace), "{:?}", answer.headers);
        let garbage = client.send(client.request("GET", "/api/v1/crews").header("traceparent", "00-zz-zz-01")).await;
        assert_eq!(garbage.status, 200);
        assert_eq!(garbage.json()["next_cursor"], json!(null));
    });
}

#[test]
fn answers_are_compressed_on_request_but_streams_are_not() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let zipped = client.request("GET", "/openapi.json").header("accept-encoding", "gzip").send().await.expect("an answer");
        assert_eq!(zipped.headers().get("content-encoding").and_then(|value| value.to_str().ok()), Some("gzip"));
        model.scenario("wren-zip").always(Turn::text("fine"));
        let task = client.run_crew("single", &about("wren-zip")).await.expect("succeeded");
        let path = format!("/api/v1/tasks/{}/events", task.id());
        let request = client.request("GET", &path).header("accept", "text/event-stream").header("accept-encoding", "gzip");
        let stream = request.send().await.expect("a stream");
        assert!(stream.headers().get("content-encoding").is_none(), "{:?}", stream.headers());
    });
}

#[test]
fn only_named_origins_may_read_answers() {
    run(async {
        let app = plan().set("APP_ALLOWED_ORIGINS", "https://console.example").start().await;
        let client = app.client();
        let allowed = async |origin: &str| {
            let request = client
                .request("OPTIONS", "/api/v1/tasks")
                .header("origin", origin)
                .header("access-control-request-method", "POST");
            let response = request.send().await.expect("an answer");
            response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap_or_default().to_owned())
        };
        assert_eq!(allowed("https://console.example").await.as_deref(), Some("https://console.example"));
        assert_eq!(allowed("https://evil.example").await, None);
        let (shared, _) = stage().await;
        let request = shared.client().request("GET", "/api/v1/crews").header("origin", "https://evil.example");
        let response = request.send().await.expect("an answer");
        assert!(response.headers().get("access-control-allow-origin").is_none(), "{:?}", response.headers());
    });
}
