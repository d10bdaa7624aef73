//! Trying again, stopping for a while, going on: what was done is never done twice.

use crewd_tests::client::{Client, Submit};
use crewd_tests::errors::{expect_error, expect_field_error, expect_reason};
use crewd_tests::fake_llm::{FakeLlm, Fault, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::stage::{about, kinds, stage};

const REFUSED: Fault = Fault::Status(400, "invalid_request_error", "this is refused");

pub(crate) fn at(task: &str, what: &str) -> String {
    format!("/api/v1/tasks/{task}{what}")
}

/// All model and tool calls in the journal: path and the run that did it, if it was another one.
pub(crate) async fn calls(client: &Client, task: &str) -> Vec<(String, Value)> {
    fn below(nodes: &[Value], found: &mut Vec<(String, Value)>) {
        for node in nodes {
            if node["kind"] == "llm_call" || node["kind"] == "tool_call" {
                found.push((node["path"].as_str().unwrap_or_default().to_owned(), node["reused_from"].clone()));
            }
            below(node["children"].as_array().map_or(&[], Vec::as_slice), found);
        }
    }
    let tree = client.get(&at(task, "/steps")).await.expect(200).json();
    let mut found = Vec::new();
    below(tree["items"].as_array().map_or(&[], Vec::as_slice), &mut found);
    found
}

/// Panics unless numbers have no gap.
fn check_numbers(events: &[Value]) {
    let numbers: Vec<_> = events.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

/// A chain of four model calls that fails at the third.
async fn failed(client: &Client, model: &FakeLlm, marker: &str) -> Value {
    let scenario = model.scenario(marker);
    scenario.then(Turn::text("one")).then(Turn::text("two")).then(REFUSED).always(Turn::text("more"));
    let task = client.run_crew("chain", &about(marker)).await.expect("failed");
    assert_eq!(scenario.count(), 3);
    task.0
}

#[test]
fn a_retry_goes_on_at_the_failed_step_and_asks_for_nothing_twice() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let before = failed(&client, model, "heron-retry").await;
        let id = before["id"].as_str().expect("an id");
        assert_eq!(before["dead_letter"], "open");
        let answer = client.post(&at(id, "/retry"), &json!({})).await.expect(202);
        assert_eq!(answer.json()["run"]["parent_run_id"], before["run"]["id"]);
        expect_reason(&client.post(&at(id, "/retry"), &json!({})).await, 409, "invalid_state", "not_retryable");
        let done = client.wait_terminal(id).await.expect("succeeded");
        assert_eq!(model.scenario("heron-retry").count(), 5, "the third call again, and the fourth");
        assert_eq!((&done.0["run"]["attempt"], &done.0["usage"]["llm_calls"]), (&json!(2), &json!(2)));
        let tasks = done.0["output"]["tasks"].as_array().expect("outputs");
        assert_eq!(
            tasks.iter().map(|task| task["raw"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
            ["one", "two", "more", "more"]
        );
        let reused: Vec<bool> = calls(&client, id).await.iter().map(|(_, by)| *by == before["run"]["id"]).collect();
        assert_eq!(reused, [true, true, false, false]);
        let runs = client.get(&at(id, "/runs")).await.expect(200).json();
        let states: Vec<_> = runs["items"]
            .as_array()
            .expect("/runs")
            .iter()
            .map(|run| (run["status"].clone(), run["dead_letter"].clone()))
            .collect();
        assert_eq!(states, [(json!("failed"), json!("redriven")), (json!("succeeded"), Value::Null)]);
        let log = client.events(id, 0).await;
        check_numbers(&log);
        let ends: Vec<_> =
            kinds(&log).into_iter().filter(|kind| ["task.queued", "task.failed", "task.succeeded"].contains(kind)).collect();
        assert_eq!(ends, ["task.queued", "task.failed", "task.queued", "task.succeeded"]);
        for after in [0, 3, log.len() - 1] {
            let frames = client.sse(id, &format!("after={after}"), None).await.to_end().await;
            let seen = frames.iter().filter(|frame| frame.id.is_some()).count();
            assert_eq!(seen, log.len() - after, "a stream goes through the end of the first run");
        }
    });
}

#[test]
fn a_retry_can_begin_anywhere_in_the_journal_and_nowhere_else() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for (marker, from, asked) in
            [("heron-start", "start", 4), ("heron-middle", "crew_task[1].agent.turn[0]", 3), ("heron-whole", "crew_task[1]", 3)]
        {
            let before = failed(&client, model, marker).await;
            let id = before["id"].as_str().expect("an id");
            for wrong in ["crew_task[3]", "crew_task[0].agent.turn[5]"] {
                let answer = client.post(&at(id, "/retry"), &json!({ "from": wrong })).await;
                expect_field_error(&answer, 422, "validation_failed", "/from");
            }
            let answer = client.post(&at(id, "/retry"), &json!({ "inputs": about("other") })).await;
            expect_field_error(&answer, 422, "validation_failed", "/inputs");
            client.post(&at(id, "/retry"), &json!({ "from": from })).await.expect(202);
            client.wait_terminal(id).await.expect("succeeded");
            assert_eq!(model.scenario(marker).count(), 3 + asked, "{from}");
        }
    });
}

#[test]
fn a_task_that_has_not_ended_or_ended_well_is_not_tried_again() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("heron-running").always(Turn::text("late").hold_first(&gate));
        let task = client.submit("single", &about("heron-running")).await;
        client.wait_status(task.id(), "running").await;
        let retry = async || client.post(&at(task.id(), "/retry"), &json!({})).await;
        expect_reason(&retry().await, 409, "invalid_state", "not_retryable");
        let replay = client.post(&at(task.id(), "/replay"), &json!({})).await;
        expect_reason(&replay, 409, "invalid_state", "not_ended");
        gate.open();
        client.wait_terminal(task.id()).await.expect("succeeded");
        expect_reason(&retry().await, 409, "invalid_state", "not_retryable");
        let nobody = at("019b7600-0000-7000-8000-000000000000", "/retry");
        expect_error(&client.post(&nobody, &json!({})).await, 404, "not_found");
        assert_eq!(client.task(task.id()).await.0["run"]["attempt"], 1, "nothing half done");
    });
}

#[test]
fn a_cancelled_task_goes_on_where_it_was_stopped() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("heron-cancelled");
        let gate = Gate::new();
        scenario.then(Turn::text("one")).then(Turn::text("two").hold_first(&gate)).always(Turn::text("more"));
        let task = client.submit("chain", &about("heron-cancelled")).await;
        eventually("the second call is made", SOON, async || (scenario.count() == 2).then_some(())).await;
        client.cancel(task.id(), "immediate").await.expect(202);
        client.wait_terminal(task.id()).await.expect("cancelled");
        gate.open();
        client.post(&at(task.id(), "/retry"), &json!({})).await.expect(202);
        client.wait_terminal(task.id()).await.expect("succeeded");
        assert_eq!(scenario.count(), 5, "the call that was cut off again, and the two behind it");
    });
}

#[test]
fn a_pause_holds_between_steps_and_a_task_can_be_run_step_by_step() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("heron-pause");
        let gate = Gate::new();
        scenario.then(Turn::text("one").hold(&gate)).always(Turn::text("more"));
        let task = client.submit("chain", &about("heron-pause")).await;
        let id = task.id();
        eventually("the model is called", SOON, async || (scenario.count() == 1).then_some(())).await;
        expect_reason(&client.post(&at(id, "/resume"), &json!({})).await, 409, "invalid_state", "not_paused");
        for _ in 0..2 {
            client.post(&at(id, "/pause"), &json!({ "reason": "lunch" })).await.expect(202);
        }
        gate.open();
        let paused = client.wait_status(id, "waiting").await;
        assert_eq!((&paused.0["waiting_for"], scenario.count()), (&json!("operator"), 1));
        assert!(paused.0["waiting_since"].is_string(), "{}", paused.0);
        client.post(&at(id, "/pause"), &json!({})).await.expect(200);
        for (place, asked) in [("crew_task[1]", 2), ("crew_task[2].agent.turn[0]", 3)] {
            client.post(&at(id, "/resume"), &json!({ "stop_after": place })).await.expect(202);
            let stopped = eventually("it stops again", SOON, async || {
                let task = client.task(id).await;
                (task.status() == "waiting" && scenario.count() == asked).then_some(task)
            })
            .await;
            assert_eq!((&stopped.0["waiting_for"], &stopped.0["stop_after"]), (&json!("operator"), &json!(place)));
        }
        client.post(&at(id, "/resume"), &json!({})).await.expect(202);
        client.wait_terminal(id).await.expect("succeeded");
        assert_eq!(scenario.count(), 4, "no call twice");
        let log = client.events(id, 0).await;
        check_numbers(&log);
        let kinds = kinds(&log);
        let count = |wanted: &str| kinds.iter().filter(|kind| **kind == wanted).count();
        assert_eq!((count("task.waiting"), count("task.resumed")), (3, 3), "{kinds:?}");
        expect_reason(&client.post(&at(id, "/pause"), &json!({})).await, 409, "invalid_state", "not_pausable");
    });
}

#[test]
fn a_paused_task_can_be_cancelled_and_a_pause_taken_back() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("heron-back");
        let gate = Gate::new();
        scenario.then(Turn::text("one").hold(&gate)).always(Turn::text("more"));
        let task = client.submit("chain", &about("heron-back")).await;
        eventually("the model is called", SOON, async || (scenario.count() == 1).then_some(())).await;
        client.post(&at(task.id(), "/pause"), &json!({})).await.expect(202);
        client.post(&at(task.id(), "/resume"), &json!({})).await.expect(202);
        gate.open();
        client.wait_terminal(task.id()).await.expect("succeeded");
        let second = model.scenario("heron-stop");
        let door = Gate::new();
        second.then(Turn::text("one").hold(&door)).always(Turn::text("more"));
        let task = client.submit("chain", &about("heron-stop")).await;
        eventually("the model is called", SOON, async || (second.count() == 1).then_some(())).await;
        client.post(&at(task.id(), "/pause"), &json!({})).await.expect(202);
        door.open();
        client.wait_status(task.id(), "waiting").await;
        let cancelled = client.cancel(task.id(), "graceful").await.expect(202).json();
        assert_eq!((&cancelled["status"], &cancelled["output"]["tasks"][0]["raw"]), (&json!("cancelled"), &json!("one")));
        assert_eq!(cancelled["usage"]["llm_calls"], 1, "what it used is kept");
        assert_eq!(second.count(), 1);
    });
}

#[test]
fn bodies_are_checked_and_keys_hold() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let before = failed(&client, model, "heron-key").await;
        let id = before["id"].as_str().expect("an id");
        expect_error(&client.send_text("POST", &at(id, "/retry"), "application/json", "{").await, 400, "bad_request");
        for (what, body, pointer) in [
            ("/retry", json!({ "from": 7 }), "/from"),
            ("/retry", json!({ "form": "start" }), "/form"),
            ("/pause", json!({ "why": "x" }), "/why"),
            ("/resume", json!({ "stop_after": "turn" }), "/stop_after"),
            ("/fork", json!({}), "/from_step"),
        ] {
            expect_field_error(&client.post(&at(id, what), &body).await, 422, "validation_failed", pointer);
        }
        let send = async |body: &Value| {
            client.send(client.request("POST", &at(id, "/retry")).header("idempotency-key", "heron-key").json(body)).await
        };
        let first = send(&json!({})).await.expect(202);
        let again = send(&json!({})).await.expect(202);
        assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), (None, Some("true")));
        expect_error(&send(&json!({ "from": "start" })).await, 422, "idempotency_key_reused");
        client.wait_terminal(id).await.expect("succeeded");
        let runs = client.get(&at(id, "/runs")).await.expect(200).json();
        assert_eq!(runs["items"].as_array().map(Vec::len), Some(2), "one retry");
        let submitted = client.submit_answer("single", &about("heron-key"), &Submit::default()).await;
        submitted.expect(202);
    });
}
