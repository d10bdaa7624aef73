//! Workers that die beside one that lives.

use std::time::{Duration, Instant};

use crewd_tests::fake_llm::{FakeLlm, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::json;

use crate::{count, plan, whole_log};

#[test]
fn a_dead_workers_task_is_picked_up_by_another() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("avocet-worker");
        scenario.then(Turn::text("one")).then(Turn::text("two").hold_first(&gate)).always(Turn::text("more"));
        let serve = plan(&model);
        let first = serve.clone().arguments(["worker"]).spawn();
        let second_plan = serve.clone().arguments(["worker"]);
        let serve = serve.arguments(["serve"]).start().await;
        let client = serve.client();
        let task = client.submit("chain", &json!({ "topic": "avocet-worker" })).await;
        eventually("the second step is under way", SOON, async || (scenario.count() == 2).then_some(())).await;
        let second = second_plan.spawn();
        first.kill9();
        let killed = Instant::now();
        gate.open();
        client.wait_terminal(task.id()).await.expect("succeeded");
        assert!(killed.elapsed() < Duration::from_secs(25), "picked up within the promise: {:?}", killed.elapsed());
        let log = whole_log(&client, task.id()).await;
        assert_eq!(count(&log, "llm.completed"), 4);
        assert_eq!(scenario.count(), 5, "only the interrupted step was called again");
        second.sigterm();
        assert_eq!(second.wait_exit(SOON).await.code, Some(0));
    });
}

#[test]
fn a_paused_worker_that_comes_back_writes_nothing_stale() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        let scenario = model.scenario("avocet-zombie");
        scenario.then(Turn::text("one")).then(Turn::text("stale").hold_first(&gate)).always(Turn::text("fresh"));
        let serve = plan(&model);
        let first = serve.clone().arguments(["worker"]).spawn();
        let second_plan = serve.clone().arguments(["worker"]);
        let serve = serve.arguments(["serve"]).start().await;
        let client = serve.client();
        let task = client.submit("chain", &json!({ "topic": "avocet-zombie" })).await;
        eventually("the second step is under way", SOON, async || (scenario.count() == 2).then_some(())).await;
        first.pause();
        let second = second_plan.spawn();
        client.wait_terminal(task.id()).await.expect("succeeded");
        let log = whole_log(&client, task.id()).await;
        gate.open();
        first.resume();
        first.sigterm();
        first.wait_exit(Duration::from_secs(45)).await;
        assert_eq!(whole_log(&client, task.id()).await, log, "the log of an ended task is final");
        assert!(!log.iter().any(|event| event["data"].to_string().contains("stale")));
        second.sigterm();
        second.wait_exit(SOON).await;
    });
}
