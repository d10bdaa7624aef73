//! SIGKILL and a new start: nothing accepted is lost, nothing finished is done again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crewd_tests::client::{Client, SseFrame, Submit};
use crewd_tests::fake_llm::{ChatRequest, FakeLlm, Gate, Reply, Scenario, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::{count, plan, whole_log};

/// Which of the chain's steps a request asks for.
fn step_of(request: &ChatRequest) -> usize {
    let asked = request.last_user();
    (1..=4).rev().find(|number| asked.contains(&format!("step number {number} of"))).unwrap_or_default()
}

/// A model that answers every step but waits at `held`: before its headers, or in the middle of its text.
fn held_at(model: &FakeLlm, marker: &str, held: usize, in_the_middle: bool, gate: &Gate) -> Arc<Scenario> {
    let scenario = model.scenario(marker);
    let gate = gate.clone();
    scenario.when(move |request| {
        let step = step_of(request);
        let text = format!("answer {step}");
        let turn = match (step == held, in_the_middle) {
            (true, true) => Turn::text("half ").hold(&gate).and_text(&text),
            (true, false) => Turn::text(&text).hold_first(&gate),
            (false, _) => Turn::text(&text),
        };
        Some(Reply::from(turn))
    });
    scenario
}

struct Held {
    id: String,
    step: usize,
    scenario: Arc<Scenario>,
    before: Vec<Value>,
}

/// One task held at each step, before and in the middle of an answer.
async fn hold_everywhere(client: &Client, model: &FakeLlm, gate: &Gate) -> Vec<Held> {
    let mut tasks = Vec::new();
    for step in 1..=4 {
        for in_the_middle in [false, true] {
            let marker = format!("turnstone-{step}-{in_the_middle}");
            let scenario = held_at(model, &marker, step, in_the_middle, gate);
            let task = client.submit("chain", &json!({ "topic": marker })).await;
            tasks.push(Held { id: task.id().to_owned(), step, scenario, before: Vec::new() });
        }
    }
    for (index, task) in tasks.iter_mut().enumerate() {
        let in_the_middle = index % 2 == 1;
        task.before = eventually("the task is held", SOON, async || {
            let events = client.events(&task.id, 0).await;
            let arrived = task.scenario.count() == task.step;
            let streamed = !in_the_middle || events.iter().any(|event| event["data"]["text"] == "half ");
            (arrived && streamed).then_some(events)
        })
        .await;
    }
    tasks
}

#[test]
fn tasks_killed_at_every_step_run_on_to_their_end() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let gate = Gate::new();
        let tasks = hold_everywhere(&app.client(), &model, &gate).await;
        app.kill9();
        let killed = Instant::now();
        gate.open();
        let app = app.restart().await;
        let client = app.client();
        for task in &tasks {
            let done = client.wait_terminal(&task.id).await.expect("succeeded");
            assert!(done.raw().ends_with("answer 4"), "held at step {}: {}", task.step, done.0);
            let log = whole_log(&client, &task.id).await;
            assert_eq!(log[..task.before.len()], task.before, "what a client had seen is still there");
            let calls = |step: usize| task.scenario.requests().iter().filter(|request| step_of(&request.chat) == step).count();
            for step in 1..=4 {
                let expected = if step == task.step { 2 } else { 1 };
                assert_eq!(
                    calls(step),
                    expected,
                    "step {step} of the task held at {}: finished steps are never called again",
                    task.step
                );
            }
            assert_eq!(count(&log, "llm.completed"), 4);
            let restarted = log
                .iter()
                .find(|event| event["type"] == "step.restarted")
                .unwrap_or_else(|| panic!("no step.restarted: {log:#?}"));
            assert!(restarted["data"].to_string().contains("attempt"), "{restarted}");
            assert_eq!(done.0["usage"]["llm_calls"], 4, "{}", done.0);
        }
        assert!(killed.elapsed() < Duration::from_secs(40), "picked up in time: {:?}", killed.elapsed());
    });
}

#[test]
fn queued_tasks_and_idempotency_keys_survive() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).set("APP_WORKER_SLOTS", "1").start().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("turnstone-first").always(Turn::text("x").hold_first(&gate));
        let scenario = model.scenario("turnstone-queued");
        let first = client.submit("single", &json!({ "topic": "turnstone-first" })).await;
        let with_key = |key: &str| Submit { headers: vec![("idempotency-key", key.to_owned())], ..Submit::default() };
        let inputs = json!({ "topic": "turnstone-queued" });
        let mut ids = Vec::new();
        for number in 0..20 {
            let answer = client.submit_answer("single", &inputs, &with_key(&format!("k{number}"))).await.expect(202);
            ids.push(answer.json()["id"].as_str().unwrap_or_default().to_owned());
        }
        app.kill9();
        gate.open();
        let app = app.restart().await;
        let client = app.client();
        for (number, id) in ids.iter().enumerate() {
            let replay = client.submit_answer("single", &inputs, &with_key(&format!("k{number}"))).await.expect(202);
            assert_eq!(replay.header("idempotent-replayed"), Some("true"));
            assert_eq!(replay.json()["id"], *id);
        }
        for id in ids.iter().chain([&first.id().to_owned()]) {
            client.wait_terminal(id).await.expect("succeeded");
        }
        assert_eq!(scenario.count(), 20, "each ran once");
    });
}

#[test]
fn a_stream_goes_on_after_a_kill_without_gap_or_repeat() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let gate = Gate::new();
        held_at(&model, "turnstone-stream", 3, true, &gate);
        let client = app.client();
        let task = client.submit("chain", &json!({ "topic": "turnstone-stream" })).await;
        let mut stream = client.sse(task.id(), "", None).await;
        let before = stream.until(|frame| frame.data.contains("half ")).await;
        let last = before.iter().rev().find_map(|frame| frame.id.clone()).expect("ids were seen");
        app.kill9();
        gate.open();
        let app = app.restart().await;
        let client = app.client();
        let after = client.sse(task.id(), "", Some(&last)).await.to_end().await;
        let seen: Vec<Value> = before.iter().chain(&after).filter(|frame| frame.id.is_some()).map(SseFrame::json).collect();
        assert_eq!(seen, whole_log(&client, task.id()).await);
    });
}

#[test]
fn what_was_finished_stays_as_it_was() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let client = app.client();
        let done = client.run_crew("reference", &json!({ "topic": "turnstone-done" })).await.expect("succeeded");
        let log = whole_log(&client, done.id()).await;
        let steps = client.steps(done.id()).await;
        app.kill9();
        let app = app.restart().await;
        let client = app.client();
        assert_eq!(client.task(done.id()).await.0, done.0);
        assert_eq!(whole_log(&client, done.id()).await, log);
        assert_eq!(client.steps(done.id()).await, steps);
    });
}

#[test]
fn kills_under_load_never_harm_the_database() {
    run(async {
        let model = FakeLlm::start().await;
        model.scenario("turnstone-load");
        let mut app = plan(&model).start().await;
        let mut ids: Vec<String> = Vec::new();
        for round in 0..4 {
            let client = app.client();
            let batch = futures::future::join_all((0..25).map(|number| {
                let client = client.clone();
                async move {
                    client
                        .submit("reference", &json!({ "topic": format!("turnstone-load {round} {number}") }))
                        .await
                        .id()
                        .to_owned()
                }
            }))
            .await;
            ids.extend(batch);
            eventually("some of them are done", SOON, async || {
                (client.list("status=succeeded&limit=200").await["items"].as_array().map_or(0, Vec::len) > round * 8)
                    .then_some(())
            })
            .await;
            app.kill9();
            app = app.restart().await;
        }
        let client = app.client();
        for id in &ids {
            client.wait_terminal(id).await.expect("succeeded");
            let log = whole_log(&client, id).await;
            assert_eq!(count(&log, "llm.completed"), 4, "no finished step twice: {id}");
        }
    });
}

#[test]
fn a_cancel_that_was_accepted_survives_a_kill() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let gate = Gate::new();
        let scenario = held_at(&model, "turnstone-cancel", 2, false, &gate);
        let client = app.client();
        let task = client.submit("chain", &json!({ "topic": "turnstone-cancel" })).await;
        eventually("the task is held", SOON, async || (scenario.count() == 2).then_some(())).await;
        client.cancel(task.id(), "graceful").await.expect(202);
        app.kill9();
        gate.open();
        let app = app.restart().await;
        let client = app.client();
        client.wait_terminal(task.id()).await.expect("cancelled");
        assert!(scenario.count() <= 3, "nothing new starts: {}", scenario.count());
        whole_log(&client, task.id()).await;
    });
}
