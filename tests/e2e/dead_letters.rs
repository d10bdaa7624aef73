//! Failed tasks that wait for a person.

use crewd_tests::app::App;
use crewd_tests::client::Client;
use crewd_tests::crews;
use crewd_tests::errors::{expect_error, expect_field_error, expect_reason};
use crewd_tests::fake_llm::{FakeLlm, Fault, Turn};
use crewd_tests::runtime::run;
use serde_json::{Value, json};

use crate::stage::{about, plan};

const LETTERS: &str = "/api/v1/dead-letters";

/// An app of its own, and so many tasks of it that failed.
async fn failed(model: &FakeLlm, marker: &str, count: usize) -> (App, Vec<String>) {
    let app = plan().model(model).crew(&crews::chain("chain", 2)).start().await;
    let client = app.client();
    let mut ids = Vec::new();
    for index in 0..count {
        let marker = format!("{marker}{index}");
        let scenario = model.scenario(&marker);
        scenario.then(Turn::text("one")).then(Fault::Status(400, "invalid_request_error", "refused")).always(Turn::text("more"));
        ids.push(client.run_crew("chain", &about(&marker)).await.expect("failed").id().to_owned());
    }
    (app, ids)
}

async fn listed(client: &Client, query: &str) -> Vec<Value> {
    client.get(&format!("/api/v1/dead-letters{query}")).await.expect(200).json()["items"].as_array().cloned().unwrap_or_default()
}

#[test]
fn a_dead_letter_is_read_redriven_and_gone() {
    run(async {
        let model = FakeLlm::start().await;
        let (app, ids) = failed(&model, "stork-one", 1).await;
        let client = app.client();
        let letters = listed(&client, "").await;
        assert_eq!((letters.len(), &letters[0]["id"]), (1, &json!(ids[0])));
        assert!(letters[0]["age_seconds"].is_u64() && letters[0]["failure"]["class"].is_string(), "{}", letters[0]);
        let letter = format!("/api/v1/dead-letters/{}", ids[0]);
        assert_eq!(client.get(&letter).await.expect(200).json()["failure"], letters[0]["error"]);
        let redriven = client.post(&format!("{letter}/redrive"), &json!({})).await.expect(202).json();
        assert_eq!((&redriven["id"], &redriven["run"]["attempt"]), (&json!(ids[0]), &json!(2)));
        expect_reason(&client.post(&format!("{letter}/redrive"), &json!({})).await, 409, "invalid_state", "no_dead_letter");
        client.wait_terminal(&ids[0]).await.expect("succeeded");
        assert_eq!(model.scenario("stork-one0").count(), 3, "the call that failed again, and nothing else");
        expect_error(&client.get(&letter).await, 404, "not_found");
        assert!(listed(&client, "").await.is_empty());
    });
}

#[test]
fn a_dead_letter_goes_on_with_other_inputs_in_a_child() {
    run(async {
        let model = FakeLlm::start().await;
        let (app, ids) = failed(&model, "stork-edit", 1).await;
        let client = app.client();
        let path = format!("/api/v1/dead-letters/{}/redrive", ids[0]);
        expect_field_error(
            &client.post(&path, &json!({"edited_input": {"tpoic": 1}})).await,
            422,
            "validation_failed",
            "/edited_input/tpoic",
        );
        let body = json!({ "edited_input": about("stork-edit0 and a hint") });
        let child = client.post(&path, &body).await.expect(202).json();
        let id = child["id"].as_str().expect("an id");
        assert_eq!(child["origin"]["task_id"], json!(ids[0]));
        client.wait_terminal(id).await.expect("succeeded");
        let last = model.scenario("stork-edit0").requests().pop().expect("a request");
        assert!(last.chat.text().contains("and a hint"), "{}", last.chat.text());
        let old = client.task(&ids[0]).await;
        assert_eq!(
            (&old.0["status"], &old.0["dead_letter"], &old.0["inputs"]),
            (&json!("failed"), &json!("redriven"), &about("stork-edit0"))
        );
    });
}

#[test]
fn a_dead_letter_is_discarded_once_and_for_good() {
    run(async {
        let model = FakeLlm::start().await;
        let (app, ids) = failed(&model, "stork-off", 1).await;
        let client = app.client();
        let letter = format!("/api/v1/dead-letters/{}", ids[0]);
        for _ in 0..2 {
            let task = client.post(&format!("{letter}/discard"), &json!({})).await.expect(200).json();
            assert_eq!((&task["status"], &task["dead_letter"]), (&json!("failed"), &json!("discarded")));
        }
        expect_reason(&client.post(&format!("{letter}/redrive"), &json!({})).await, 409, "invalid_state", "no_dead_letter");
        assert!(listed(&client, "").await.is_empty());
        assert_eq!(client.get(&letter).await.expect(200).json()["dead_letter"], "discarded");
    });
}

#[test]
fn many_dead_letters_are_dealt_with_by_one_request() {
    run(async {
        let model = FakeLlm::start().await;
        let (app, ids) = failed(&model, "stork-many", 3).await;
        let client = app.client();
        let letters = listed(&client, "?class=provider_error&crew=chain").await;
        assert_eq!(letters.len(), 3, "{letters:?}");
        assert!(listed(&client, "?class=crash_loop").await.is_empty());
        for body in [json!({"limit": 0}), json!({"limit": 1001}), json!({"filter": {"class": "x"}}), json!({"filter": {"x": 1}})]
        {
            expect_error(&client.post(&format!("{LETTERS}/redrive"), &body).await, 422, "validation_failed");
        }
        let body = json!({"filter": {"crew": "chain"}, "limit": 2});
        let answer = client.post("/api/v1/dead-letters/redrive", &body).await.expect(200).json();
        assert_eq!(answer, json!({"matched": 2, "done": 2, "failed": []}));
        for id in &ids[1..] {
            client.wait_terminal(id).await.expect("succeeded");
        }
        let answer = client.post("/api/v1/dead-letters/discard", &json!({})).await.expect(200).json();
        assert_eq!(answer, json!({"matched": 1, "done": 1, "failed": []}));
        assert!(listed(&client, "").await.is_empty());
    });
}
