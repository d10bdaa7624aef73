//! API and worker as two processes over one data folder.

use std::time::Duration;

use crewd_tests::app::command_line;
use crewd_tests::client::SseFrame;
use crewd_tests::crews;
use crewd_tests::fake_llm::{FakeLlm, Fault, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};

use crate::stage::{about, plan, whole_log};

#[test]
fn a_task_submitted_to_one_is_run_by_the_other_and_seen_on_the_first() {
    run(async {
        let model = FakeLlm::start().await;
        let gate = Gate::new();
        model.scenario("godwit-split").then(Turn::text("one ").hold(&gate).and_text("two"));
        let serve = plan().model(&model).crew(&crews::single("single"));
        let worker = serve.clone().arguments(["worker"]);
        let serve = serve.arguments(["serve"]).start().await;
        let client = serve.client();
        let task = client.submit("single", &about("godwit-split")).await;
        assert_eq!(client.task(task.id()).await.status(), "queued", "nobody works yet");
        let worker = worker.spawn();
        let mut stream = client.sse(task.id(), "", None).await;
        let before = stream.until(|frame| frame.event == "llm.delta").await;
        assert!(before.iter().any(|frame| frame.data.contains("one ")), "{before:?}");
        gate.open();
        let rest = stream.to_end().await;
        assert_eq!(rest.last().map(|frame| frame.event.as_str()), Some("end"));
        let seen: Vec<_> = before.iter().chain(&rest).filter(|frame| frame.id.is_some()).map(SseFrame::json).collect();
        assert_eq!(seen, whole_log(&client, task.id()).await);
        worker.sigterm();
        assert_eq!(worker.wait_exit(SOON).await.code, Some(0), "{}", worker.output().report());
    });
}

#[test]
fn a_cancel_crosses_from_one_to_the_other() {
    run(async {
        let model = FakeLlm::start().await;
        let scenario = model.scenario("godwit-cancel");
        scenario.always(Fault::HangsBeforeHeaders);
        let serve = plan().model(&model).crew(&crews::single("single"));
        let worker = serve.clone().arguments(["worker"]).spawn();
        let serve = serve.arguments(["serve"]).start().await;
        let client = serve.client();
        let task = client.submit("single", &about("godwit-cancel")).await;
        eventually("the model is called", SOON, async || (scenario.count() > 0).then_some(())).await;
        client.cancel(task.id(), "immediate").await;
        client.wait_terminal(task.id()).await.expect("cancelled");
        eventually("the connection is closed", Duration::from_secs(8), async || {
            scenario.requests()[0].closed_early().then_some(())
        })
        .await;
        worker.sigterm();
        worker.wait_exit(SOON).await;
    });
}

#[test]
fn two_workers_share_the_work_and_no_task_runs_twice() {
    run(async {
        let model = FakeLlm::start().await;
        let scenario = model.scenario("godwit-two");
        let serve = plan().model(&model).crew(&crews::single("single")).set("APP_WORKER_SLOTS", "4");
        let workers = [serve.clone().arguments(["worker"]).spawn(), serve.clone().arguments(["worker"]).spawn()];
        let serve = serve.arguments(["serve"]).start().await;
        let client = serve.client();
        let mut ids = Vec::new();
        for _ in 0..30 {
            ids.push(client.submit("single", &about("godwit-two")).await.id().to_owned());
        }
        for id in &ids {
            client.wait_terminal(id).await.expect("succeeded");
        }
        assert_eq!(scenario.count(), ids.len());
        for worker in workers {
            worker.sigterm();
            worker.wait_exit(SOON).await;
        }
    });
}

#[test]
fn a_run_on_the_command_line_leaves_queued_tasks_alone() {
    run(async {
        let model = FakeLlm::start().await;
        let scenario = model.scenario("godwit-waiting");
        let serve = plan().model(&model).crew(&crews::single("single"));
        let command = serve.clone().arguments(["run", "single", "--input", "topic=godwit-run", "--offline"]);
        let worker = serve.clone().arguments(["worker"]);
        let serve = serve.arguments(["serve"]).start().await;
        let client = serve.client();
        let task = client.submit("single", &about("godwit-waiting")).await;
        let output = tokio::task::spawn_blocking(move || command_line(&command, "")).await.expect("the command is run");
        output.expect_code(0);
        assert_eq!(client.task(task.id()).await.status(), "queued", "the offline model must not answer somebody else's task");
        assert_eq!(scenario.count(), 0);
        let worker = worker.spawn();
        let done = client.wait_terminal(task.id()).await.expect("succeeded");
        assert_eq!(done.0["simulated"], false);
        worker.sigterm();
        worker.wait_exit(SOON).await;
    });
}
