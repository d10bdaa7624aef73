use std::time::Duration;

use serde_json::{Value, json};

use crate::testing::{Answer, OTHER_KEY, Stage};

const PATH: &str = "/api/v1/webhooks";

fn hook() -> Value {
    json!({"url": "https://hooks.example/a", "events": ["task.succeeded", "task.queued"], "description": "ours"})
}

async fn created(stage: &Stage) -> Value {
    stage.post(PATH, &hook()).await.expect(201).json()
}

/// The path of the one endpoint of the stage.
fn path_of(created: &Value) -> String {
    format!("{PATH}/{}", created["id"].as_str().unwrap())
}

async fn send(stage: &Stage, method: &str, path: &str, body: &Value) -> Answer {
    stage.send_text(method, path, "application/json", body.to_string()).await
}

async fn tick(stage: &Stage) {
    stage.dispatcher.tick().await.unwrap();
    stage.dispatcher.finish(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_webhook_lives_from_post_to_delete() {
    let stage = Stage::new();
    let answer = stage.post(PATH, &hook()).await.expect(201);
    let made = answer.json();
    let path = path_of(&made);
    assert_eq!(answer.header("location"), path);
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(made["events"], json!(["task.queued", "task.succeeded"]), "in the order of the contract");
    let mut shown = stage.get(&path).await.expect(200).json();
    assert!(shown.get("secret").is_none());
    shown["secret"] = made["secret"].clone();
    assert_eq!(shown, made);
    let change = json!({"description": null, "events": [], "payload": "full", "timeout_seconds": 30, "disabled": true});
    let changed = send(&stage, "PATCH", &path, &change).await.expect(200).json();
    assert_eq!((&changed["description"], &changed["events"], &changed["payload"]), (&Value::Null, &json!([]), &json!("full")));
    assert_eq!((&changed["disabled"], &changed["disabled_reason"]), (&json!(true), &json!("disabled by anonymous")));
    assert_eq!(send(&stage, "PATCH", &path, &json!({"disabled": false})).await.expect(200).json()["disabled_at"], Value::Null);
    let rotated = send(&stage, "POST", &format!("{path}/rotate"), &json!({})).await.expect(200).json();
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(rotated["previous_secret_until"], "2026-01-02T00:00:00.000Z");
    let list = stage.get(PATH).await.expect(200).json();
    assert_eq!((list["items"].as_array().unwrap().len(), &list["next_cursor"]), (1, &Value::Null));
    send(&stage, "DELETE", &path, &json!({})).await.expect(204);
    stage.get(&path).await.expect_error(404, "not_found");
    send(&stage, "DELETE", &path, &json!({})).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn a_repeated_post_makes_one_webhook() {
    let stage = Stage::new();
    let post = async |body: Value| {
        let request = stage.request("POST", PATH).header("content-type", "application/json").header("idempotency-key", "k");
        stage.send(request.body(body.to_string().into()).unwrap()).await
    };
    let first = post(hook()).await.expect(201);
    let again = post(hook()).await.expect(201);
    assert_eq!((again.json(), again.header("idempotent-replayed")), (first.json(), "true"));
    post(json!({"url": "https://other.example"})).await.expect_error(422, "idempotency_key_reused");
}

#[tokio::test]
async fn bodies_are_checked_by_name() {
    let stage = Stage::new();
    for (body, pointers) in [
        (json!({}), vec!["/url"]),
        (json!({"url": 7, "events": ["task.succeeded", "task.done", 3]}), vec!["/url", "/events/1", "/events/2"]),
        (json!({"url": "https://a.example", "events": "all", "payload": "fat"}), vec!["/events", "/payload"]),
        (
            json!({"url": "https://a.example", "timeout_seconds": 0, "max_concurrent": 51}),
            vec!["/timeout_seconds", "/max_concurrent"],
        ),
        (json!({"url": "https://a.example", "secret": "x", "disabled": true}), vec!["/secret", "/disabled"]),
        (json!({"url": "http://10.0.0.1"}), vec!["/url"]),
        (json!({"url": format!("https://a.example/{}", "x".repeat(2_048))}), vec!["/url"]),
        (json!({"url": "https://a.example", "description": "x".repeat(501)}), vec!["/description"]),
    ] {
        stage.post(PATH, &body).await.expect_fields(422, "validation_failed", &pointers);
    }
    let path = path_of(&created(&stage).await);
    for (body, pointers) in [(json!({"url": "http://10.0.0.1"}), ["/url"]), (json!({"secret": "x"}), ["/secret"])] {
        send(&stage, "PATCH", &path, &body).await.expect_fields(422, "validation_failed", &pointers);
    }
    let again = format!("{path}/redeliver");
    send(&stage, "POST", &again, &json!({})).await.expect_fields(422, "validation_failed", &["/since"]);
    send(&stage, "POST", &again, &json!({"since": "yesterday"})).await.expect_fields(422, "validation_failed", &["/since"]);
}

#[tokio::test]
async fn deliveries_are_logged_and_sent_again() {
    let stage = Stage::new();
    let path = path_of(&created(&stage).await);
    let task = stage.submit().await;
    tick(&stage).await;
    let log = stage.get(&format!("{path}/deliveries")).await.expect(200).json();
    let delivery = &log["items"][0];
    assert_eq!(
        (&delivery["type"], &delivery["status"], &delivery["task_id"]),
        (&json!("task.queued"), &json!("delivered"), &json!(task))
    );
    assert_eq!((&delivery["attempts"], &delivery["response_status"]), (&json!(1), &json!(204)));
    let id = delivery["id"].as_str().unwrap();
    let again = send(&stage, "POST", &format!("{path}/deliveries/{id}/redeliver"), &json!({})).await.expect(202).json();
    assert_eq!((&again["status"], &again["attempts"]), (&json!("pending"), &json!(0)));
    tick(&stage).await;
    assert_eq!(stage.outbound.requests().len(), 2);
    assert_eq!(stage.get(&format!("{path}/deliveries?status=failed")).await.expect(200).json()["items"], json!([]));
    stage.get(&format!("{path}/deliveries?status=lost")).await.expect_error(422, "validation_failed");
    let bulk = send(&stage, "POST", &format!("{path}/redeliver"), &json!({"since": "2026-01-01T00:00:00Z"})).await.expect(202);
    assert_eq!(bulk.json(), json!({"redelivered": 0}));
    send(&stage, "PATCH", &path, &json!({"disabled": true})).await.expect(200);
    let refused = send(&stage, "POST", &format!("{path}/deliveries/{id}/redeliver"), &json!({})).await;
    refused.expect_reason(409, "invalid_state", "webhook_disabled");
}

#[tokio::test]
async fn a_stranger_finds_no_webhook() {
    let stage = Stage::with_keys();
    let path = path_of(&created(&stage).await);
    let stage = Stage { key: Some(OTHER_KEY), ..stage };
    stage.get(&path).await.expect_error(404, "not_found");
    send(&stage, "PATCH", &path, &json!({"disabled": true})).await.expect_error(404, "not_found");
    send(&stage, "DELETE", &path, &json!({})).await.expect_error(404, "not_found");
    send(&stage, "POST", &format!("{path}/rotate"), &json!({})).await.expect_error(404, "not_found");
    stage.get(&format!("{path}/deliveries")).await.expect_error(404, "not_found");
    assert_eq!(stage.get(PATH).await.expect(200).json()["items"], json!([]));
}
