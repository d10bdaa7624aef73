//! Limits: turns, time, tokens, calls at once.

use std::time::{Duration, Instant};

use crewd_tests::client::{Submit, Task};
use crewd_tests::crews;
use crewd_tests::fake_llm::{Call, FakeLlm, Fault, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::json;

use crate::stage::{about, kinds, plan, stage, whole_log};

#[test]
fn after_the_last_turn_an_answer_is_demanded_without_tools() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("stint-turns");
        scenario.when(|request| request.may_call_tools().then(|| Turn::calls([Call::tool("directory_read", json!({}))]).into()));
        scenario.always(Turn::text("Forced out of me."));
        let task = client.run_crew("short", &about("stint-turns")).await.expect("succeeded");
        assert_eq!(task.raw(), "Forced out of me.");
        let requests = scenario.requests();
        assert_eq!(requests.len(), 3, "two turns and one that demands the answer");
        assert!(!requests[2].chat.may_call_tools(), "{}", requests[2].chat.0);
    });
}

#[test]
fn a_demanded_answer_that_is_another_call_is_not_an_answer() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("stint-stubborn");
        scenario.always(Turn::calls([Call::text("directory_read", "{}")]));
        let task = client.run_crew("short", &about("stint-stubborn")).await;
        assert!(["failed", "incomplete"].contains(&task.status()), "{}", task.0);
        assert!(scenario.count() <= 8, "bounded: {}", scenario.count());
    });
}

#[test]
fn an_agents_time_limit_ends_a_hanging_call() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("stint-time");
        scenario.always(Fault::HangsMidStream("so far"));
        let started = Instant::now();
        let task = client.run_crew("timed", &about("stint-time")).await.expect_failed("timeout");
        assert_eq!(task.error_code(), "timeout", "{}", task.0);
        assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
        eventually("the connection is closed", SOON, async || scenario.requests()[0].closed_early().then_some(())).await;
        assert_eq!(scenario.count(), 1, "a time-out is not tried again");
        assert!(task.0["output"].to_string().contains("so far"), "the partial text is kept: {}", task.0);
        let steps = client.steps(task.id()).await.to_string();
        assert!(!steps.contains("\"status\":\"started\""), "no step of an ended task is left open: {steps}");
    });
}

#[test]
fn a_tasks_deadline_ends_it_incomplete_with_what_there_is() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("stint-deadline");
        scenario.then(Turn::text("first part")).always(Fault::HangsBeforeHeaders);
        let more = Submit { fields: vec![("deadline_seconds", json!(1))], ..Submit::default() };
        let task = Task(client.submit_answer("chain", &about("stint-deadline"), &more).await.expect(202).json());
        let done = client.wait_terminal(task.id()).await.expect("incomplete");
        assert!(done.0["output"].to_string().contains("first part"), "{}", done.0);
        assert!(done.0.to_string().contains("deadline"), "the reason is said: {}", done.0);
    });
}

#[test]
fn a_token_budget_stops_the_run() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("stint-budget");
        scenario.always(Turn::text("a part").usage(300, 300));
        let more = Submit { fields: vec![("budget", json!({ "max_tokens": 1000 }))], ..Submit::default() };
        let task = Task(client.submit_answer("chain", &about("stint-budget"), &more).await.expect(202).json());
        let done = client.wait_terminal(task.id()).await.expect("incomplete");
        assert_eq!(scenario.count(), 2, "600, then 1,200 tokens: nothing starts beyond the budget");
        assert!(done.0["output"].to_string().contains("a part"), "{}", done.0);
        assert!(done.0.to_string().contains("tokens"), "the reason is said: {}", done.0);
        let log = whole_log(&client, done.id()).await;
        assert_eq!(kinds(&log).last(), Some(&"task.incomplete"));
    });
}

#[test]
fn model_calls_at_once_are_limited_and_priority_goes_first() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).crew(&crews::single("single")).set("APP_LLM_MAX_CONCURRENT", "2").start().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("stint-crowd").always(Turn::text("ok").hold_first(&gate));
        let mut ids = Vec::new();
        for _ in 0..8 {
            ids.push(client.submit("single", &about("stint-crowd")).await.id().to_owned());
        }
        eventually("two calls are under way", SOON, async || (model.in_flight() == 2).then_some(())).await;
        gate.open();
        for id in ids {
            client.wait_terminal(&id).await.expect("succeeded");
        }
        assert_eq!(model.most_in_flight(), 2);
    });
}

#[test]
fn waiting_tasks_start_by_priority_then_by_age() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan().model(&model).crew(&crews::single("single")).set("APP_WORKER_SLOTS", "1").start().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("stint-first").always(Turn::text("ok").hold_first(&gate));
        let order = model.scenario("stint-order");
        let first = client.submit("single", &about("stint-first")).await;
        client.wait_status(first.id(), "running").await;
        let mut ids = Vec::new();
        for (name, priority) in
            [("b1", "batch"), ("s1", "standard"), ("i1", "interactive"), ("s2", "standard"), ("i2", "interactive")]
        {
            let more = Submit { fields: vec![("priority", json!(priority))], ..Submit::default() };
            let answer = client.submit_answer("single", &about(&format!("stint-order {name}")), &more).await.expect(202);
            ids.push(answer.json()["id"].as_str().unwrap_or_default().to_owned());
        }
        let metrics = client.get("/metrics").await.text;
        let depth = metrics.lines().find(|line| line.starts_with("ai_task_queue_depth")).unwrap_or_default().to_owned();
        assert!(depth.ends_with(" 5"), "the depth of the queue is seen: {depth}");
        gate.open();
        for id in &ids {
            client.wait_terminal(id).await.expect("succeeded");
        }
        let started: Vec<String> = order
            .requests()
            .iter()
            .map(|request| {
                let text = request.chat.text();
                ["b1", "s1", "i1", "s2", "i2"]
                    .into_iter()
                    .find(|name| text.contains(&format!("stint-order {name}")))
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect();
        assert_eq!(started, ["i1", "i2", "s1", "s2", "b1"]);
    });
}

#[test]
fn an_idle_worker_starts_a_task_at_once() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("stint-prompt").always(Turn::text("ok"));
        let mut waits = Vec::new();
        for _ in 0..7 {
            let started = Instant::now();
            client.run_crew("single", &about("stint-prompt")).await.expect("succeeded");
            waits.push(started.elapsed());
        }
        waits.sort_unstable();
        assert!(waits[0] < Duration::from_millis(1000), "woken, not polled: {waits:?}");
    });
}
