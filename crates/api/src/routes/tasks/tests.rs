use axum::body::Body;
use serde_json::{Value, json};

use crate::testing::{KEY, OTHER_KEY, Stage};

const TASKS: &str = "/api/v1/tasks";

fn tea() -> Value {
    json!({"crew": "tea", "inputs": {"topic": "green"}})
}

#[tokio::test]
async fn a_submitted_task_has_every_field_of_the_contract() {
    let stage = Stage::new();
    let body = json!({"crew": "tea", "inputs": {"topic": "green"}, "metadata": {"team": "red"}, "priority": "batch", "deadline_seconds": 60});
    let answer = stage.post(TASKS, &body).await.expect(202);
    let task = answer.json();
    let id = task["id"].as_str().unwrap();
    let link = format!("{TASKS}/{id}");
    assert_eq!((answer.header("location"), answer.header("retry-after")), (link.as_str(), "1"));
    let version = task["definition_version"].as_str().unwrap();
    assert!(version.starts_with("sha256:") && version.len() == 71);
    let zero = json!({"input_tokens": 0, "output_tokens": 0, "cached_input_tokens": 0, "total_tokens": 0, "llm_calls": 0, "tool_calls": 0,
        "cost_usd_micros": 0, "cost_usd": "0.000000"});
    let expected = json!({"id": id, "status": "queued", "waiting_for": null, "waiting_since": null, "queue": null, "kind": "crew", "name": "tea", "definition_version": version,
        "priority": "batch", "inputs": {"topic": "green"}, "run": {"id": task["run"]["id"], "attempt": 1, "parent_run_id": null, "fork_step": null, "state_hash": null},
        "stop_after": null, "origin": null,
        "progress": {"steps_done": 0, "current": null}, "output": null, "error": null, "dead_letter": null, "simulated": false, "usage": zero,
        "links": {"self": link, "events": format!("{link}/events"), "ws": format!("{link}/ws"), "steps": format!("{link}/steps")},
        "created_at": "2026-01-01T00:00:00.000Z", "started_at": null, "finished_at": null, "metadata": {"team": "red"}});
    assert_eq!(task, expected);
    assert_eq!(
        task.as_object().unwrap().keys().collect::<Vec<_>>(),
        expected.as_object().unwrap().keys().collect::<Vec<_>>(),
        "in this order"
    );
    let mut read = expected;
    read["queue"] = json!({"position": 1});
    assert_eq!(stage.get(&link).await.expect(200).json(), read, "only a task that is read alone tells its place in the queue");
}

#[tokio::test]
async fn a_finished_task_shows_what_came_of_it() {
    let stage = Stage::new();
    let id = stage.submit().await;
    stage.start(&id).await;
    assert_eq!(stage.get(&format!("{TASKS}/{id}")).await.expect(200).json()["status"], "running");
    stage.succeed(&id).await;
    let task = stage.get(&format!("{TASKS}/{id}?wait=30")).await.expect(200).json();
    assert_eq!(
        (&task["status"], &task["output"]["raw"], &task["usage"]["total_tokens"]),
        (&json!("succeeded"), &json!("a text"), &json!(10))
    );
}

#[tokio::test]
async fn bad_bodies_get_their_status() {
    let stage = Stage::new();
    let json = "application/json";
    let post = |kind: &'static str, body: Body| stage.send_text("POST", TASKS, kind, body);
    post(json, "{\"crew\": ".into()).await.expect_reason(400, "bad_request", "invalid_json");
    post(json, Body::empty()).await.expect_reason(400, "bad_request", "empty_body");
    post(json, "{\"a\":".repeat(10_000).into()).await.expect_reason(400, "bad_request", "json_too_deep");
    post(json, b"{\"crew\": \"\xff\"}".to_vec().into()).await.expect_reason(400, "bad_request", "invalid_encoding");
    post(json, r#"{"crew": "\ud800"}"#.into()).await.expect_reason(400, "bad_request", "invalid_encoding");
    post(json, r#"{"crew": "tea", "deadline_seconds": 1e400}"#.into()).await.expect_reason(400, "bad_request", "invalid_json");
    post("application/xml", "<a/>".into()).await.expect_error(415, "unsupported_media_type");
    post("multipart/form-data; boundary=x", "{}".into()).await.expect_error(415, "unsupported_media_type");
    post(json, vec![b' '; 1024 * 1024 + 1].into()).await.expect_error(413, "payload_too_large");
    let pieces = futures::stream::iter((0..17).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024])));
    post(json, Body::from_stream(pieces)).await.expect_error(413, "payload_too_large");
    let untyped = stage.request("POST", TASKS).body(Body::from("{}")).unwrap();
    stage.send(untyped).await.expect_error(415, "unsupported_media_type");
    let packed = stage
        .request("POST", TASKS)
        .header("content-type", json)
        .header("content-encoding", "gzip")
        .body(Body::from("x"))
        .unwrap();
    stage.send(packed).await.expect_reason(415, "unsupported_media_type", "encoding_not_supported");
}

#[tokio::test]
async fn bad_values_are_told_with_their_places() {
    let stage = Stage::new();
    stage.post(TASKS, &json!({"crew": "nobody"})).await.expect_error(404, "not_found");
    stage.post(TASKS, &json!({"crew": "tea"})).await.expect_fields(422, "validation_failed", &["/inputs/topic"]);
    stage.post(TASKS, &json!({"crew": "tea", "colour": 1, "inputs": []})).await.expect_fields(
        422,
        "validation_failed",
        &["/inputs", "/colour"],
    );
    stage.post(TASKS, &json!({"crew": "te\u{0}a"})).await.expect_reason(422, "validation_failed", "invalid_characters");
    let big = json!({"crew": "tea", "budget": {"max_tokens": 99_999_999_999_999_999_999_f64}});
    stage.post(TASKS, &big).await.expect_reason(422, "validation_failed", "out_of_range");
    stage.post(TASKS, &json!([])).await.expect_error(422, "validation_failed");
    let old = json!({"crew": "tea", "inputs": {"topic": "x"}, "version": "sha256:none"});
    stage.post(TASKS, &old).await.expect_error(404, "not_found");
}

async fn submit_with(stage: &Stage, headers: &[(&str, &str)], body: &Value) -> crate::testing::Answer {
    let request = headers.iter().fold(stage.request("POST", TASKS), |request, (name, value)| request.header(*name, *value));
    stage.send(request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_repeated_key_gives_the_first_answer_again() {
    let stage = Stage::new();
    let key = [("idempotency-key", "k-1")];
    let first = submit_with(&stage, &key, &tea()).await.expect(202);
    assert_eq!(first.header("idempotent-replayed"), "");
    let id = first.json()["id"].as_str().unwrap().to_owned();
    stage.start(&id).await;
    let again = submit_with(&stage, &key, &json!({"inputs": {"topic": "green"}, "crew": "tea"})).await.expect(202);
    assert_eq!((again.header("idempotent-replayed"), again.json()), ("true", first.json()));
    assert_eq!(again.header("location"), first.header("location"));
    let other = json!({"crew": "tea", "inputs": {"topic": "black"}});
    submit_with(&stage, &key, &other).await.expect_error(422, "idempotency_key_reused");
    submit_with(&stage, &[("idempotency-key", "")], &tea()).await.expect_reason(400, "bad_request", "idempotency_key_invalid");
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    submit_with(&stage, &twice, &tea()).await.expect_reason(400, "bad_request", "idempotency_key_invalid");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_task_or_with_its_time() {
    let stage = Stage::new();
    let slow = submit_with(&stage, &[("prefer", "wait=5")], &tea()).await.expect(202);
    assert_eq!((slow.header("preference-applied"), &slow.json()["status"]), ("wait=5", &json!("queued")));
    let id = slow.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{TASKS}/{id}?wait=60");
    let (ended, ()) = tokio::join!(stage.get(&path), async {
        stage.start(&id).await;
        stage.succeed(&id).await;
    });
    assert_eq!(ended.expect(200).json()["status"], "succeeded");
    for wait in ["-1", "61", "soon", "1.5", ""] {
        stage.get(&format!("{TASKS}/{id}?wait={wait}")).await.expect_fields(422, "validation_failed", &["/wait"]);
    }
    stage.shutdown.cancel();
    submit_with(&stage, &[("prefer", "wait=60")], &tea()).await.expect(202);
}

#[tokio::test]
async fn a_list_is_paged_and_filtered() {
    let stage = Stage::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(json!(stage.submit().await));
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut path = format!("{TASKS}?limit=2&crew=tea&status=queued,running");
    let mut pages = 0;
    loop {
        let page = stage.get(&path).await.expect(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|task| task["id"].clone()));
        pages += 1;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{TASKS}?limit=2&crew=tea&status=queued,running&cursor={cursor}");
    }
    assert_eq!((seen, pages), (ids, 3));
    for query in ["crew=other", "flow=f", "status=failed", "metadata.a=b", "created_before=2020-01-01T00:00:00Z"] {
        assert_eq!(
            stage.get(&format!("{TASKS}?{query}")).await.expect(200).json(),
            json!({"items": [], "next_cursor": null}),
            "{query}"
        );
    }
    for limit in ["0", "-1", "201", "1000000", "ten", ""] {
        stage.get(&format!("{TASKS}?limit={limit}")).await.expect_reason(422, "validation_failed", "out_of_range");
    }
    for cursor in ["garbage", "AAAA", "%00", "eyJ4IjoxfQ", "../../etc", ""] {
        stage.get(&format!("{TASKS}?cursor={cursor}")).await.expect_reason(400, "bad_request", "invalid_cursor");
    }
    for query in ["colour=red", "order=desc", "status%5B%24ne%5D=failed", "metadata=x"] {
        stage.get(&format!("{TASKS}?{query}")).await.expect_reason(422, "validation_failed", "unknown_filter");
    }
}

#[tokio::test]
async fn missing_foreign_and_malformed_ids_look_the_same() {
    let stage = Stage::with_keys();
    let id = stage.submit().await;
    let foreign = Stage { key: Some(OTHER_KEY), ..stage };
    let mut bodies = Vec::new();
    for id in [
        id.as_str(),
        "01890000-0000-7000-8000-000000000000",
        "not-an-id",
        "1",
        "%2e%2e%2fetc",
        "%ff",
        "{01890000-0000-7000-8000-000000000000}",
    ] {
        for tail in ["", "/steps", "/events", "/ws"] {
            let answer = foreign.get(&format!("{TASKS}/{}{tail}", id.replace('{', "%7B").replace('}', "%7D"))).await;
            answer.expect_error(404, "not_found");
            let mut body = answer.json();
            body["request_id"] = json!(null);
            bodies.push(body);
        }
        foreign
            .post(&format!("{TASKS}/{}/cancel", id.replace('{', "%7B").replace('}', "%7D")), &json!({}))
            .await
            .expect_error(404, "not_found");
    }
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:#?}");
    assert_eq!(foreign.get(TASKS).await.expect(200).json()["items"], json!([]));
    let cursor = {
        let stage = Stage { key: Some(KEY), ..foreign };
        stage.submit().await;
        let cursor = stage.get(&format!("{TASKS}?limit=1")).await.json()["next_cursor"].as_str().unwrap().to_owned();
        let foreign = Stage { key: Some(OTHER_KEY), ..stage };
        foreign.get(&format!("{TASKS}?cursor={cursor}")).await.expect_reason(400, "bad_request", "invalid_cursor");
        cursor
    };
    assert!(!cursor.is_empty());
}

#[tokio::test]
async fn a_task_is_cancelled_once() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let path = format!("{TASKS}/{id}/cancel");
    stage.post(&path, &json!({"mode": "brutal", "why": 1})).await.expect_fields(422, "validation_failed", &["/mode", "/why"]);
    stage.send_text("POST", &path, "application/json", "{").await.expect_error(400, "bad_request");
    let bare = stage.request("POST", &path).body(Body::empty()).unwrap();
    let cancelled = stage.send(bare).await.expect(202).json();
    assert_eq!(cancelled["status"], "cancelled", "nobody had begun");
    let again = stage.post(&path, &json!({"mode": "immediate", "reason": "enough"})).await.expect(200).json();
    assert_eq!(again, cancelled);
    assert_eq!(stage.get(&format!("{TASKS}/{id}")).await.json(), cancelled);
}

#[tokio::test]
async fn a_running_task_is_asked_to_end() {
    let stage = Stage::new();
    let id = stage.submit().await;
    stage.start(&id).await;
    let answer = stage.post(&format!("{TASKS}/{id}/cancel"), &json!({"mode": "immediate", "reason": "enough"})).await.expect(202);
    assert_eq!(answer.json()["status"], "running", "its worker has not heard of it yet");
}

#[tokio::test]
async fn steps_are_a_list_of_trees() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let answer = stage.get(&format!("{TASKS}/{id}/steps")).await.expect(200);
    assert_eq!(answer.json(), json!({"items": [], "next_cursor": null}));
    stage.get(&format!("{TASKS}/{id}/steps?x=1")).await.expect_reason(422, "validation_failed", "unknown_filter");
}
