use axum::body::Body;
use crewd_domain::runs::{FailureClass, WaitReason};
use serde_json::{Value, json};

use crate::testing::{OTHER_KEY, Stage};

const NOBODY: &str = "019b7600-0000-7000-8000-000000000000";

fn at(id: &str, what: &str) -> String {
    format!("/api/v1/tasks/{id}/{what}")
}

/// A failed task with this many finished steps.
async fn failed(stage: &Stage, turns: usize) -> String {
    let id = stage.submit().await;
    stage.start(&id).await;
    stage.journal(&id, turns).await;
    stage.fail(&id, FailureClass::Internal).await;
    id
}

#[tokio::test]
async fn a_retry_is_a_further_run_of_the_same_task() {
    let stage = Stage::new();
    let id = failed(&stage, 2).await;
    let before = stage.get(&format!("/api/v1/tasks/{id}")).await.expect(200).json();
    assert_eq!((&before["status"], &before["dead_letter"]), (&json!("failed"), &json!("open")));
    let answer = stage.send(stage.request("POST", &at(&id, "retry")).body(Body::empty()).unwrap()).await.expect(202);
    assert_eq!(answer.header("location"), format!("/api/v1/tasks/{id}"));
    let task = answer.json();
    assert_eq!((&task["id"], &task["status"], &task["dead_letter"]), (&before["id"], &json!("queued"), &Value::Null));
    assert_eq!((&task["run"]["attempt"], &task["run"]["parent_run_id"]), (&json!(2), &before["run"]["id"]));
    let runs = stage.get(&at(&id, "runs")).await.expect(200).json();
    let states: Vec<_> = runs["items"].as_array().unwrap().iter().map(|run| (&run["status"], &run["dead_letter"])).collect();
    assert_eq!(states, [(&json!("failed"), &json!("redriven")), (&json!("queued"), &Value::Null)]);
    let steps = stage.get(&at(&id, "steps")).await.expect(200).json();
    let turns = steps["items"][0]["children"][0]["children"].as_array().unwrap().clone();
    assert!(turns.len() == 2 && turns.iter().all(|turn| turn["reused_from"] == before["run"]["id"]), "{steps}");
    let old = before["run"]["id"].as_str().unwrap();
    let steps = stage.get(&format!("{}?run={old}", at(&id, "steps"))).await.expect(200).json();
    assert_eq!(steps["items"][0]["status"], "failed");
    assert_eq!(steps["items"][0]["children"][0]["children"][0]["reused_from"], Value::Null);
    for run in [NOBODY, "x"] {
        stage.get(&format!("{}?run={run}", at(&id, "steps"))).await.expect_error(404, "not_found");
    }
    stage.post(&at(&id, "retry"), &json!({})).await.expect_reason(409, "invalid_state", "not_retryable");
}

#[tokio::test]
async fn a_retry_takes_a_place_and_a_key() {
    let stage = Stage::new();
    let id = failed(&stage, 3).await;
    for (body, pointer) in [
        (json!({"from": "crew_task[0].agent.turn[9]"}), "/from"),
        (json!({"from": "somewhere"}), "/from"),
        (json!({"from": 1}), "/from"),
        (json!({"inputs": {"topic": "black"}}), "/inputs"),
        (json!({"form": "start"}), "/form"),
    ] {
        let answer = stage.post(&at(&id, "retry"), &body).await.expect(422);
        assert_eq!(answer.json()["details"]["fields"][0]["pointer"], pointer, "{body}");
    }
    let send = |body: Value| {
        let request =
            stage.request("POST", &at(&id, "retry")).header("content-type", "application/json").header("idempotency-key", "k");
        stage.send(request.body(Body::from(body.to_string())).unwrap())
    };
    let body = json!({"from": "crew_task[0].agent.turn[1]"});
    let first = send(body.clone()).await.expect(202).json();
    assert_eq!((&first["run"]["fork_step"], &first["progress"]["steps_done"]), (&body["from"], &json!(1)));
    let again = send(body).await.expect(202);
    assert_eq!((again.header("idempotent-replayed"), again.json()), ("true", first));
    send(json!({})).await.expect_error(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_fork_is_a_child_with_a_difference() {
    let stage = Stage::new();
    let id = stage.submit().await;
    stage.start(&id).await;
    stage.journal(&id, 3).await;
    let body = json!({"from_step": "crew_task[0].agent.turn[1]", "effects": "dry_run", "overrides": {"inputs": {"topic": "black"},
        "model": "small", "prompt": {"agents": {"writer": {"goal": "Rhyme on {topic}"}}, "tasks": {"write": {"description": "Rhyme"}}}}});
    let answer = stage.post(&at(&id, "fork"), &body).await.expect(202);
    let child = answer.json();
    assert_eq!(answer.header("location"), format!("/api/v1/tasks/{}", child["id"].as_str().unwrap()));
    assert_ne!(child["id"], id);
    assert_eq!((&child["inputs"]["topic"], &child["progress"]["steps_done"]), (&json!("black"), &json!(1)));
    let run = stage.view(&id).await.run.id;
    let origin =
        json!({"task_id": id, "run_id": run, "from_step": "crew_task[0].agent.turn[1]", "effects": "dry_run", "replay": false});
    assert_eq!(child["origin"], origin);
    assert_eq!(stage.view(&id).await.run.status.as_str(), "running", "the origin goes on");
}

#[tokio::test]
async fn a_fork_that_cannot_be_is_refused_with_all_reasons() {
    let stage = Stage::new();
    let id = failed(&stage, 2).await;
    let pointers = async |body: Value| {
        let answer = stage.post(&at(&id, "fork"), &body).await.expect(422).json();
        let fields = answer["details"]["fields"].as_array().unwrap().clone();
        fields.iter().map(|field| field["pointer"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(pointers(json!({})).await, ["/from_step"]);
    assert_eq!(pointers(json!({"from_step": "crew_task[7]"})).await, ["/from_step"]);
    let shapes = json!({"from_step": "turn[0]", "effects": "some", "overrides": {"inputs": 1, "model": "", "prompt": {"agents": [], "x": 1},
        "definition_version": 7, "tools": "x", "memory": {}}, "why": 1});
    let expected = [
        "/from_step",
        "/effects",
        "/overrides/inputs",
        "/overrides/model",
        "/overrides/tools",
        "/overrides/definition_version",
        "/overrides/prompt/agents",
        "/overrides/prompt/x",
        "/overrides/memory",
        "/why",
    ];
    assert_eq!(pointers(shapes).await, expected);
    let names = json!({"from_step": "crew_task[0].agent.turn[9]", "overrides": {"inputs": {"tpoic": 1}, "tools": {"hammer": "x"},
        "prompt": {"agents": {"nobody": {}}, "tasks": {"write": {"colour": "red"}}}}});
    let expected = [
        "/from_step",
        "/overrides/inputs/tpoic",
        "/overrides/prompt/agents/nobody",
        "/overrides/prompt/tasks/write/colour",
        "/overrides/tools/hammer",
    ];
    assert_eq!(pointers(names).await, expected);
    stage.post(&at(NOBODY, "fork"), &json!({"from_step": "crew_task[0]"})).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn only_what_has_ended_is_replayed() {
    let stage = Stage::new();
    let id = stage.submit().await;
    stage.start(&id).await;
    stage.journal(&id, 1).await;
    stage.post(&at(&id, "replay"), &json!({})).await.expect_reason(409, "invalid_state", "not_ended");
    stage.succeed(&id).await;
    stage.post(&at(&id, "replay"), &json!({"from_step": "x"})).await.expect_error(422, "validation_failed");
    let child = stage.post(&at(&id, "replay"), &json!({})).await.expect(202).json();
    assert_eq!((&child["origin"]["replay"], &child["origin"]["from_step"]), (&json!(true), &Value::Null));
    assert_eq!((&child["status"], &child["progress"]["steps_done"]), (&json!("queued"), &json!(1)));
}

#[tokio::test]
async fn a_task_is_paused_and_goes_on() {
    let stage = Stage::new();
    let id = stage.submit().await;
    stage.post(&at(&id, "resume"), &json!({})).await.expect_reason(409, "invalid_state", "not_paused");
    for _ in 0..2 {
        stage.post(&at(&id, "pause"), &json!({"reason": "lunch"})).await.expect(202);
    }
    stage.post(&at(&id, "resume"), &json!({})).await.expect(202);
    stage.start(&id).await;
    stage.park(&id, WaitReason::Operator).await;
    let task = stage.send(stage.request("POST", &at(&id, "pause")).body(Body::empty()).unwrap()).await.expect(200).json();
    assert_eq!((&task["status"], &task["waiting_for"]), (&json!("waiting"), &json!("operator")));
    assert!(task["waiting_since"].is_string());
    for (what, body, pointer) in [
        ("pause", json!({"reason": ""}), "/reason"),
        ("pause", json!({"why": "x"}), "/why"),
        ("resume", json!({"stop_after": "turn[0]"}), "/stop_after"),
        ("resume", json!({"stop_before": "crew_task[0]"}), "/stop_before"),
    ] {
        let answer = stage.post(&at(&id, what), &body).await.expect(422);
        assert_eq!(answer.json()["details"]["fields"][0]["pointer"], pointer, "{body}");
    }
    let task = stage.post(&at(&id, "resume"), &json!({"stop_after": "crew_task[0]"})).await.expect(202).json();
    assert_eq!((&task["status"], &task["stop_after"]), (&json!("queued"), &json!("crew_task[0]")));
    stage.post(&at(&id, "cancel"), &json!({})).await.expect(202);
    stage.post(&at(&id, "pause"), &json!({})).await.expect_reason(409, "invalid_state", "not_pausable");
}

#[tokio::test]
async fn tasks_of_others_are_not_there() {
    let stage = Stage::with_keys();
    let id = failed(&stage, 1).await;
    for (method, what) in
        [("POST", "retry"), ("POST", "fork"), ("POST", "replay"), ("POST", "pause"), ("POST", "resume"), ("GET", "runs")]
    {
        let send = |key: Option<&'static str>| {
            let mut request = axum::http::Request::builder().method(method).uri(at(&id, what));
            if let Some(key) = key {
                request = request.header("x-api-key", key);
            }
            let body = if what == "fork" { Body::from(r#"{"from_step":"crew_task[0]"}"#) } else { Body::empty() };
            stage.send(request.header("content-type", "application/json").body(body).unwrap())
        };
        send(Some(OTHER_KEY)).await.expect_error(404, "not_found");
        send(None).await.expect_error(401, "unauthenticated");
    }
}
