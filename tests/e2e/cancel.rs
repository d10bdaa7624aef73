//! Cancelling: accepted once, final, and the model's connection is closed.

use std::time::Duration;

use crewd_tests::crews;
use crewd_tests::errors::{expect_error, expect_field_error};
use crewd_tests::fake_llm::{FakeLlm, Fault, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::json;

use crate::stage::{about, kinds, plan, stage, whole_log};

#[test]
fn an_immediate_cancel_closes_the_models_connection_and_keeps_the_partial_text() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("osprey-hang");
        let gate = Gate::new();
        scenario.always(Turn::text("half an ans").hold(&gate));
        let task = client.submit("single", &about("osprey-hang")).await;
        eventually("the first piece is in the log", SOON, async || {
            let events = client.events(task.id(), 0).await;
            events.iter().any(|event| event["type"] == "llm.delta").then_some(())
        })
        .await;
        let answer = client.cancel(task.id(), "immediate").await.expect(202);
        assert_eq!(answer.json()["id"], task.id());
        let done = client.wait_terminal(task.id()).await.expect("cancelled");
        eventually("the connection is closed", Duration::from_secs(5), async || {
            scenario.requests()[0].closed_early().then_some(())
        })
        .await;
        let log = whole_log(&client, task.id()).await;
        let text: String =
            log.iter().filter_map(|event| event["data"]["text"].as_str().filter(|_| event["type"] == "llm.delta")).collect();
        assert_eq!(text, "half an ans");
        let kinds = kinds(&log);
        assert!(kinds.contains(&"task.cancelling") || kinds.last() == Some(&"task.cancelled"), "{kinds:?}");
        assert_eq!(scenario.count(), 1, "nothing starts after the cancel: {}", done.0);
        gate.open();
    });
}

#[test]
fn a_model_that_never_answers_can_be_cancelled() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("osprey-silent");
        scenario.always(Fault::HangsBeforeHeaders);
        let task = client.submit("single", &about("osprey-silent")).await;
        eventually("the model is called", SOON, async || (scenario.count() == 1).then_some(())).await;
        client.cancel(task.id(), "immediate").await.expect(202);
        client.wait_terminal(task.id()).await.expect("cancelled");
        eventually("the connection is closed", Duration::from_secs(5), async || {
            scenario.requests()[0].closed_early().then_some(())
        })
        .await;
    });
}

#[test]
fn cancelling_twice_is_cancelling_once() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("osprey-twice").always(Turn::text("late").hold_first(&gate));
        let task = client.submit("single", &about("osprey-twice")).await;
        client.wait_status(task.id(), "running").await;
        let (one, two) = tokio::join!(client.cancel(task.id(), "immediate"), client.cancel(task.id(), "immediate"));
        for answer in [&one, &two] {
            assert!([200, 202].contains(&answer.status), "{}", answer.text);
        }
        let done = client.wait_terminal(task.id()).await.expect("cancelled");
        let after = client.cancel(task.id(), "graceful").await.expect(200);
        assert_eq!(after.json(), done.0, "a terminal task is answered unchanged");
        let log = whole_log(&client, task.id()).await;
        assert_eq!(kinds(&log).iter().filter(|kind| **kind == "task.cancelled").count(), 1);
    });
}

#[test]
fn a_finished_task_stays_what_it_is() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("osprey-done").always(Turn::text("done"));
        let done = client.run_crew("single", &about("osprey-done")).await.expect("succeeded");
        let answer = client.cancel(done.id(), "immediate").await.expect(200);
        assert_eq!(answer.json(), done.0);
    });
}

#[test]
fn a_graceful_cancel_ends_between_steps() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("osprey-gentle");
        let gate = Gate::new();
        scenario.then(Turn::text("first").hold(&gate)).always(Turn::text("more"));
        let task = client.submit("chain", &about("osprey-gentle")).await;
        eventually("the model is called", SOON, async || (scenario.count() == 1).then_some(())).await;
        client.cancel(task.id(), "graceful").await.expect(202);
        gate.open();
        client.wait_terminal(task.id()).await.expect("cancelled");
        assert_eq!(scenario.count(), 1, "no step starts after the cancel");
        assert!(!scenario.requests()[0].closed_early(), "the running step was let finish");
    });
}

#[test]
fn a_body_is_optional_and_checked() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("osprey-body").always(Turn::text("late").hold_first(&gate));
        let task = client.submit("chain", &about("osprey-body")).await;
        let path = format!("/api/v1/tasks/{}/cancel", task.id());
        expect_field_error(&client.post(&path, &json!({ "mode": "brutal" })).await, 422, "validation_failed", "/mode");
        expect_field_error(&client.post(&path, &json!({ "why": "x" })).await, 422, "validation_failed", "/why");
        expect_error(&client.send_text("POST", &path, "application/json", "{").await, 400, "bad_request");
        let answer = client.send(client.request("POST", &path)).await;
        assert!([200, 202].contains(&answer.status), "{}", answer.text);
        gate.open();
        client.wait_terminal(task.id()).await.expect("cancelled");
    });
}

#[test]
fn a_task_that_nobody_has_begun_is_cancelled_at_once() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).crew(&crews::single("single")).set("APP_WORKER_SLOTS", "1").start().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("osprey-first").always(Turn::text("x").hold_first(&gate));
        let queued = model.scenario("osprey-queued");
        let first = client.submit("single", &about("osprey-first")).await;
        client.wait_status(first.id(), "running").await;
        let second = client.submit("single", &about("osprey-queued")).await;
        let answer = client.cancel(second.id(), "graceful").await.expect(202);
        assert_eq!(answer.json()["status"], "cancelled");
        gate.open();
        client.wait_terminal(first.id()).await.expect("succeeded");
        assert_eq!(queued.count(), 0);
        let log = whole_log(&client, second.id()).await;
        assert_eq!(kinds(&log), ["task.queued", "task.cancelled"]);
        assert!(log[1]["data"].to_string().contains("a test says so"), "the reason is kept: {}", log[1]);
    });
}
