use std::time::Duration;

use crewd_domain::runs::FailureClass;
use serde_json::{Value, json};

use crate::testing::{OTHER_KEY, Stage};

const LETTERS: &str = "/api/v1/dead-letters";

async fn dead(stage: &Stage, class: FailureClass) -> String {
    let id = stage.submit().await;
    stage.start(&id).await;
    stage.journal(&id, 1).await;
    stage.fail(&id, class).await;
    id
}

async fn listed(stage: &Stage, query: &str) -> Vec<Value> {
    let page = stage.get(&format!("{LETTERS}{query}")).await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn letters_are_listed_with_filters_and_cursors() {
    let stage = Stage::new();
    let first = dead(&stage, FailureClass::ProviderError).await;
    stage.clock.advance(Duration::from_secs(90));
    let second = dead(&stage, FailureClass::Timeout).await;
    dead(&stage, FailureClass::UserError).await;
    let all = listed(&stage, "").await;
    assert_eq!(all.iter().map(|letter| &letter["id"]).collect::<Vec<_>>(), [&json!(second), &json!(first)]);
    assert_eq!((&all[1]["age_seconds"], &all[1]["failure"]["class"]), (&json!(90), &json!("provider_error")));
    assert_eq!(
        (&all[1]["status"], &all[1]["dead_letter"], &all[1]["inputs"]["topic"]),
        (&json!("failed"), &json!("open"), &json!("green"))
    );
    assert_eq!(listed(&stage, "?class=timeout").await.len(), 1);
    assert_eq!(listed(&stage, "?crew=coffee").await.len(), 0);
    let page = stage.get(&format!("{LETTERS}?limit=1")).await.expect(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = listed(&stage, &format!("?limit=1&cursor={cursor}")).await;
    assert_eq!((rest.len(), &rest[0]["id"]), (1, &json!(first)));
    for query in ["?class=bad", "?class=timeout,internal", "?created_after=soon", "?limit=0", "?status=failed"] {
        stage.get(&format!("{LETTERS}{query}")).await.expect(422);
    }
    stage.get(&format!("{LETTERS}?cursor=x")).await.expect_reason(400, "bad_request", "invalid_cursor");
}

#[tokio::test]
async fn a_letter_is_redriven_once() {
    let stage = Stage::new();
    let id = dead(&stage, FailureClass::ProviderError).await;
    let letter = format!("{LETTERS}/{id}");
    assert_eq!(stage.get(&letter).await.expect(200).json()["failure"]["code"], "provider_failed");
    let wrong = json!({"from": "crew_task[3]", "edited_input": {"tpoic": 1}});
    let fields = stage.post(&format!("{letter}/redrive"), &wrong).await.expect(422).json()["details"]["fields"].clone();
    assert_eq!((&fields[0]["pointer"], &fields[1]["pointer"]), (&json!("/from"), &json!("/edited_input/tpoic")));
    let task = stage.post(&format!("{letter}/redrive"), &json!({"from": "start"})).await.expect(202).json();
    assert_eq!((&task["id"], &task["run"]["attempt"], &task["progress"]["steps_done"]), (&json!(id), &json!(2), &json!(0)));
    stage.post(&format!("{letter}/redrive"), &json!({})).await.expect_reason(409, "invalid_state", "no_dead_letter");
    stage.post(&format!("{letter}/discard"), &json!({})).await.expect_reason(409, "invalid_state", "no_dead_letter");
    stage.get(&letter).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn edited_inputs_make_a_child() {
    let stage = Stage::new();
    let id = dead(&stage, FailureClass::ToolError).await;
    let path = format!("{LETTERS}/{id}/redrive");
    let child = stage.post(&path, &json!({"edited_input": {"topic": "black"}})).await.expect(202).json();
    assert_eq!((&child["inputs"]["topic"], &child["origin"]["task_id"]), (&json!("black"), &json!(id)));
    assert_eq!(child["origin"]["effects"], "execute");
    let old = stage.get(&format!("/api/v1/tasks/{id}")).await.expect(200).json();
    assert_eq!(
        (&old["status"], &old["dead_letter"], &old["inputs"]["topic"]),
        (&json!("failed"), &json!("redriven"), &json!("green"))
    );
    assert!(listed(&stage, "").await.is_empty());
}

#[tokio::test]
async fn many_are_dealt_with_by_one_request() {
    let stage = Stage::new();
    for class in [FailureClass::ProviderError, FailureClass::Timeout, FailureClass::ProviderError] {
        dead(&stage, class).await;
    }
    let bulk = async |what: &str, body: Value| stage.post(&format!("{LETTERS}/{what}"), &body).await;
    for body in [
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"filter": {"colour": "red"}}),
        json!({"filter": {"class": "bad"}}),
        json!({"from": "crew_task[0]"}),
    ] {
        bulk("redrive", body).await.expect_error(422, "validation_failed");
    }
    bulk("discard", json!({"from": "start"})).await.expect_error(422, "validation_failed");
    let answer = bulk("redrive", json!({"filter": {"class": "provider_error"}, "limit": 1})).await.expect(200).json();
    assert_eq!(answer, json!({"matched": 1, "done": 1, "failed": []}));
    let answer = bulk("discard", json!({})).await.expect(200).json();
    assert_eq!(answer, json!({"matched": 2, "done": 2, "failed": []}));
    assert!(listed(&stage, "").await.is_empty());
}

#[tokio::test]
async fn letters_of_others_are_not_there() {
    let stage = Stage::with_keys();
    let id = dead(&stage, FailureClass::ProviderError).await;
    let send = |method: &'static str, path: String, key: &'static str| {
        let request = axum::http::Request::builder().method(method).uri(path).header("x-api-key", key);
        stage.send(request.body(axum::body::Body::empty()).unwrap())
    };
    for (method, what) in [("GET", ""), ("POST", "/redrive"), ("POST", "/discard")] {
        send(method, format!("{LETTERS}/{id}{what}"), OTHER_KEY).await.expect_error(404, "not_found");
    }
    let none = send("POST", format!("{LETTERS}/discard"), OTHER_KEY).await.expect(200).json();
    assert_eq!(none, json!({"matched": 0, "done": 0, "failed": []}));
    assert_eq!(listed(&stage, "").await.len(), 1);
}
