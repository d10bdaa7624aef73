//! SIGTERM: what runs is let finish its step, the rest goes back to the queue, and the process ends by itself.

use std::time::Duration;

use crewd_tests::app::App;
use crewd_tests::fake_llm::{FakeLlm, Fault, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::json;

use crate::{count, plan, whole_log};

/// Waits until the process says that it has heard the signal.
async fn draining(app: &App) {
    let heard = async || app.log_lines().iter().any(|line| line.contains("draining")).then_some(());
    eventually("the drain has begun", SOON, heard).await;
}

#[test]
fn an_idle_process_ends_at_once() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        app.sigterm();
        let exit = app.wait_exit(Duration::from_secs(10)).await;
        assert_eq!(exit.code, Some(0), "{}", app.output().report());
        assert!(exit.took < Duration::from_secs(3), "{:?}", exit.took);
    });
}

#[test]
fn running_steps_finish_and_the_rest_goes_on_after_a_restart() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let client = app.client();
        let gate = Gate::new();
        let scenario = model.scenario("knot-drain");
        scenario.then(Turn::text("one ").hold(&gate).and_text("done")).always(Turn::text("later"));
        let task = client.submit("chain", &json!({ "topic": "knot-drain" })).await;
        eventually("the model is called", SOON, async || (scenario.count() == 1).then_some(())).await;
        app.sigterm();
        draining(&app).await;
        gate.open();
        let exit = app.wait_exit(Duration::from_secs(20)).await;
        assert_eq!(exit.code, Some(0), "{}", app.output().report());
        assert!(!scenario.requests()[0].closed_early(), "the step was let finish");
        let app = app.restart().await;
        let client = app.client();
        let done = client.wait_terminal(task.id()).await.expect("succeeded");
        let first = done.0["output"]["tasks"][0]["raw"].as_str().unwrap_or_default().to_owned();
        assert_eq!(first, "one done");
        assert_eq!(scenario.count(), 4, "no step twice");
        let log = whole_log(&client, task.id()).await;
        assert_eq!(count(&log, "llm.completed"), 4);
        assert_eq!(count(&log, "step.restarted"), 0, "a drain is no crash");
    });
}

#[test]
fn open_streams_are_ended_so_that_clients_come_back() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("knot-stream").always(Turn::text("x").hold_first(&gate));
        let task = client.submit("single", &json!({ "topic": "knot-stream" })).await;
        let mut stream = client.sse(task.id(), "", None).await;
        let mut socket = client.ws(task.id(), "").await;
        stream.until(|frame| frame.event == "task.started").await;
        app.sigterm();
        gate.open();
        let frames = stream.to_end().await;
        socket.until(|_| false).await;
        assert_eq!(app.wait_exit(Duration::from_secs(20)).await.code, Some(0), "{}", app.output().report());
        let ended = frames.iter().any(|frame| frame.event == "end");
        let app = app.restart().await;
        let done = app.client().wait_terminal(task.id()).await.expect("succeeded");
        assert!(!ended || done.is_terminal(), "`end` is said only of what has ended");
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let client = app.client();
        let scenario = model.scenario("knot-twice");
        scenario.always(Fault::HangsBeforeHeaders);
        let task = client.submit("single", &json!({ "topic": "knot-twice" })).await;
        eventually("the model is called", SOON, async || (scenario.count() == 1).then_some(())).await;
        app.sigterm();
        draining(&app).await;
        app.sigterm();
        app.wait_exit(Duration::from_secs(5)).await;
        scenario.always(Turn::text("after all"));
        let app = app.restart().await;
        assert_eq!(app.client().wait_terminal(task.id()).await.expect("succeeded").raw(), "after all");
    });
}

#[test]
fn an_interrupt_drains_as_well() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        app.sigint();
        assert_eq!(app.wait_exit(Duration::from_secs(10)).await.code, Some(0), "{}", app.output().report());
    });
}

#[test]
fn readiness_is_withdrawn_while_it_drains_and_liveness_is_not() {
    run(async {
        let model = FakeLlm::start().await;
        let app = plan(&model).start().await;
        let client = app.client();
        let gate = Gate::new();
        let scenario = model.scenario("knot-ready");
        scenario.always(Turn::text("x").hold_first(&gate));
        client.submit("single", &json!({ "topic": "knot-ready" })).await;
        eventually("the model is called", SOON, async || (scenario.count() == 1).then_some(())).await;
        app.sigterm();
        draining(&app).await;
        eventually("no new work is sent here", Duration::from_secs(5), async || {
            (client.try_status("/health/ready").await != Some(200)).then_some(())
        })
        .await;
        gate.open();
        assert_eq!(app.wait_exit(Duration::from_secs(20)).await.code, Some(0), "{}", app.output().report());
    });
}
