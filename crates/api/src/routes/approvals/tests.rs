use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use crewd_application::ports::{Change, RunQueue, RunUpdate, Store, UnitOfWork};
use crewd_application::testing::approvals::question;
use crewd_domain::runs::{Pause, WaitReason};
use crewd_domain::shared::{ApprovalId, WorkerId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::testing::{Answer, OTHER_KEY, Stage};

/// A task that waits for the answer to a question; the ids of both.
async fn asked(stage: &Stage, number: u128) -> (String, String) {
    let task = stage.submit().await;
    let worker = WorkerId::new(Uuid::from_u128(9));
    let claimed = stage.store.claim(worker, 1, Duration::from_secs(15)).await.unwrap().remove(0);
    let (mut run, expected_version) = (claimed.run.clone(), claimed.run.version);
    let approval = question(ApprovalId::new(Uuid::from_u128(number)), &run);
    let id = approval.id.to_string();
    let now = run.created_at;
    let draft = run.wait(Pause { reason: WaitReason::Approval, until: None, details: Value::Null }, now).unwrap();
    let mut unit = UnitOfWork::new(run.tenant_id.clone());
    unit.push(Change::InsertApproval(Box::new(approval)));
    unit.push(Change::AppendEvent(Arc::new(draft.number(claimed.last_seq + 1, run.task_id, run.id, now))));
    unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
    stage.store.commit(unit).await.unwrap();
    (task, id)
}

async fn decide(stage: &Stage, id: &str, body: &Value) -> Answer {
    stage.post(&format!("/api/v1/approvals/{id}/decision"), body).await
}

#[tokio::test]
async fn a_question_is_shown_and_decided() {
    let stage = Stage::new();
    let (task, id) = asked(&stage, 1).await;
    let shown = stage.get(&format!("/api/v1/tasks/{task}")).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["waiting_for"]), (&json!("waiting"), &json!("approval")));
    assert_eq!(shown["approvals"], json!([{"id": id, "kind": "tool", "tool": "pay", "expires_at": null}]));
    let read = stage.get(&format!("/api/v1/approvals/{id}")).await.expect(200);
    let approval = read.json();
    assert_eq!((&approval["status"], &approval["arguments"]), (&json!("pending"), &json!({"amount": 7})));
    assert_eq!((&approval["allowed"], &approval["decision"]), (&json!(["approve", "edit", "reject"]), &Value::Null));
    let hash = approval["arguments_hash"].as_str().unwrap();
    assert_eq!(read.header("etag"), format!("\"1-{}\"", &hash[..16]));
    let request = stage
        .request("POST", &format!("/api/v1/approvals/{id}/decision"))
        .header("content-type", "application/json")
        .header("if-match", read.header("etag"));
    let body = json!({"decision": "approve", "arguments_hash": hash, "comment": "fine"}).to_string();
    let taken = stage.send(request.body(Body::from(body)).unwrap()).await.expect(200);
    assert_eq!(taken.header("etag"), format!("\"2-{}\"", &hash[..16]));
    let taken = taken.json();
    assert_eq!((&taken["status"], &taken["applied_seq"]), (&json!("decided"), &json!(3)));
    assert_eq!((&taken["decision"]["by"], &taken["decision"]["comment"]), (&json!("anonymous"), &json!("fine")));
    let shown = stage.get(&format!("/api/v1/tasks/{task}")).await.expect(200).json();
    assert_eq!((&shown["status"], shown.get("approvals")), (&json!("queued"), None));
}

#[tokio::test]
async fn decisions_twice_late_changed_or_stale_are_refused() {
    let stage = Stage::new();
    let (task, id) = asked(&stage, 1).await;
    let wrong = json!({"decision": "approve", "arguments_hash": "0".repeat(64)});
    decide(&stage, &id, &wrong).await.expect_reason(409, "conflict", "arguments_changed");
    let request = stage
        .request("POST", &format!("/api/v1/approvals/{id}/decision"))
        .header("content-type", "application/json")
        .header("if-match", "\"9-0000000000000000\"");
    let stale = stage.send(request.body(Body::from(r#"{"decision":"approve"}"#)).unwrap()).await;
    stale.expect_reason(409, "conflict", "stale");
    let edit = json!({"decision": "edit", "arguments": {"wrong": 1}});
    decide(&stage, &id, &edit).await.expect_fields(422, "validation_failed", &["/arguments/wrong"]);
    decide(&stage, &id, &json!({"decision": "reject"})).await.expect(200);
    let again = decide(&stage, &id, &json!({"decision": "reject"})).await.expect(200).json();
    assert_eq!(again["applied_seq"], Value::Null);
    decide(&stage, &id, &json!({"decision": "approve"})).await.expect_reason(409, "conflict", "already_decided");
    stage.post(&format!("/api/v1/tasks/{task}/cancel"), &json!({})).await.expect(202);
    let (task, id) = asked(&stage, 2).await;
    stage.post(&format!("/api/v1/tasks/{task}/cancel"), &json!({})).await.expect(202);
    decide(&stage, &id, &json!({"decision": "approve"})).await.expect_reason(409, "invalid_state", "task_ended");
}

#[tokio::test]
async fn a_decision_says_what_it_is() {
    let stage = Stage::new();
    let (_, id) = asked(&stage, 1).await;
    for (body, pointers) in [
        (json!({}), vec!["/decision"]),
        (json!({"decision": null}), vec!["/decision"]),
        (json!({"decision": "yes", "why": 1}), vec!["/decision", "/why"]),
        (json!({"decision": "approve", "comment": 7, "arguments_hash": 7}), vec!["/comment", "/arguments_hash"]),
        (json!({"decision": "approve", "comment": "\0"}), vec!["/comment"]),
        (json!({"decision": "approve", "comment": "x".repeat(4_001)}), vec!["/comment"]),
        (json!({"decision": "approve", "arguments": {"amount": 8}}), vec!["/arguments"]),
        (json!({"decision": "edit"}), vec!["/arguments"]),
        (json!({"decision": "edit", "arguments": [1]}), vec!["/arguments"]),
        (json!({"decision": "respond", "response": 1}), vec!["/decision"]),
        (json!({"decision": "reject", "response": 1}), vec!["/response"]),
    ] {
        decide(&stage, &id, &body).await.expect_fields(422, "validation_failed", &pointers);
    }
    for id in ["x", "019b7600-0000-7000-8000-000000000000", "{00000000-0000-0000-0000-000000000001}"] {
        decide(&stage, &id.replace('{', "%7B").replace('}', "%7D"), &json!({"decision": "approve"}))
            .await
            .expect_error(404, "not_found");
    }
}

#[tokio::test]
async fn a_stranger_finds_no_question() {
    let stage = Stage::with_keys();
    let (_, id) = asked(&stage, 1).await;
    let stranger = Stage { key: Some(OTHER_KEY), ..stage };
    stranger.get(&format!("/api/v1/approvals/{id}")).await.expect_error(404, "not_found");
    decide(&stranger, &id, &json!({"decision": "approve"})).await.expect_error(404, "not_found");
    assert_eq!(stranger.get("/api/v1/approvals").await.expect(200).json()["items"], json!([]));
}

#[tokio::test]
async fn the_list_is_filtered_and_paged() {
    let stage = Stage::new();
    let (task, first) = asked(&stage, 1).await;
    let (_, second) = asked(&stage, 2).await;
    decide(&stage, &second, &json!({"decision": "approve"})).await.expect(200);
    let ids = |answer: Answer| -> Vec<Value> {
        answer.expect(200).json()["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    assert_eq!(ids(stage.get("/api/v1/approvals").await), [json!(second), json!(first)]);
    assert_eq!(ids(stage.get("/api/v1/approvals?status=pending").await), [json!(first)]);
    assert_eq!(ids(stage.get("/api/v1/approvals?status=decided&kind=tool").await), [json!(second)]);
    assert_eq!(ids(stage.get(&format!("/api/v1/approvals?task={task}")).await), [json!(first)]);
    assert!(ids(stage.get("/api/v1/approvals?kind=question").await).is_empty());
    let page = stage.get("/api/v1/approvals?limit=1").await.expect(200).json();
    let next = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(stage.get(&format!("/api/v1/approvals?limit=1&cursor={next}")).await), [json!(first)]);
    for query in ["status=all", "kind=x", "task=7", "colour=red"] {
        stage.get(&format!("/api/v1/approvals?{query}")).await.expect_error(422, "validation_failed");
    }
}
