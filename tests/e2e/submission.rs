//! What a submission may ask for: a time, a stop, a business key, a turn.

use std::time::Duration;

use crewd_tests::client::{Answer, Client, Submit, Task};
use crewd_tests::errors::{expect_field_error, expect_reason};
use crewd_tests::fake_llm::{FakeLlm, Gate, Turn};
use crewd_tests::runtime::run;
use serde_json::{Value, json};

use crate::stage::{about, stage, whole_log};

fn asking(fields: Value) -> Submit {
    let names =
        ["not_before", "queue_timeout_seconds", "step_timeout_seconds", "stop_after", "dedup_key", "dedup", "concurrency"];
    let fields = names.into_iter().filter_map(|name| Some((name, fields.get(name)?.clone()))).collect();
    Submit { fields, ..Submit::default() }
}

async fn send(client: &Client, topic: &str, fields: Value) -> Answer {
    client.submit_answer("single", &about(topic), &asking(fields)).await
}

async fn accepted(client: &Client, topic: &str, fields: Value) -> Task {
    Task(send(client, topic, fields).await.expect(202).json())
}

/// A task with this concurrency key whose model call waits at the gate.
async fn at_work(client: &Client, model: &FakeLlm, topic: &str, key: &str) -> (Task, Gate) {
    let gate = Gate::new();
    model.scenario(topic).always(Turn::text("half").hold(&gate));
    let task = accepted(client, topic, json!({"concurrency": {"key": key}})).await;
    (client.wait_status(task.id(), "running").await, gate)
}

fn turn(key: &str, mode: &str) -> Value {
    json!({"concurrency": {"key": key, "mode": mode}})
}

#[test]
fn a_task_for_later_waits_for_its_time() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("plover-later");
        // The time of the server, from a task of its own.
        let now =
            accepted(&client, "plover-later", json!({})).await.0["created_at"].as_str().map(chrono::DateTime::parse_from_rfc3339);
        let soon = now.expect("a time").expect("RFC 3339") + chrono::TimeDelta::milliseconds(1_500);
        let fields = json!({"not_before": soon.to_rfc3339()});
        let task = accepted(&client, "plover-later", fields).await;
        assert_eq!((task.status(), &task.0["queue"]), ("scheduled", &Value::Null));
        let done = client.wait_terminal(task.id()).await.expect("succeeded");
        let started = chrono::DateTime::parse_from_rfc3339(done.0["started_at"].as_str().unwrap_or_default()).expect("a time");
        assert!(started.timestamp_millis() >= soon.timestamp_millis(), "{started} is before {soon}");
        let log = whole_log(&client, task.id()).await;
        assert_eq!((&log[0]["type"], &log[1]["type"]), (&json!("task.queued"), &json!("task.queued")));
        assert!(log[0]["data"]["not_before"].is_string() && log[1]["data"]["reason"] == "due", "{log:?}");
        let past = accepted(&client, "plover-later", json!({"not_before": "2001-01-01T00:00:00Z"})).await;
        assert_eq!(past.status(), "queued");
        let far =
            accepted(&client, "plover-later", json!({"not_before": (soon + chrono::TimeDelta::days(2)).to_rfc3339()})).await;
        client.cancel(far.id(), "graceful").await.expect(202);
        client.wait_status(far.id(), "cancelled").await;
    });
}

#[test]
fn wishes_that_cannot_be_granted_are_refused() {
    run(async {
        let (app, _) = stage().await;
        let client = app.client();
        for (fields, pointer) in [
            (json!({"not_before": "2999-01-01T00:00:00Z"}), "/not_before"),
            (json!({"not_before": "soon"}), "/not_before"),
            (json!({"queue_timeout_seconds": 0}), "/queue_timeout_seconds"),
            (json!({"step_timeout_seconds": 9_999_999}), "/step_timeout_seconds"),
            (json!({"stop_after": "crew_task[1]"}), "/stop_after"),
            (json!({"stop_after": "crew_task[0].turn[0]"}), "/stop_after"),
            (json!({"dedup_key": ""}), "/dedup_key"),
            (json!({"dedup": {"mode": "ttl", "ttl_seconds": 5}}), "/dedup_key"),
            (json!({"dedup_key": "k", "dedup": {"mode": "ttl"}}), "/dedup/ttl_seconds"),
            (json!({"concurrency": {"key": "k", "mode": "overtake"}}), "/concurrency/mode"),
            (json!({"concurrency": {"key": "k".repeat(201)}}), "/concurrency/key"),
        ] {
            expect_field_error(&send(&client, "plover-wrong", fields).await, 422, "validation_failed", pointer);
        }
    });
}

#[test]
fn a_task_stops_behind_a_step_and_goes_on() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("plover-stop");
        let more = asking(json!({"stop_after": "crew_task[0]"}));
        let task = Task(client.submit_answer("chain", &about("plover-stop"), &more).await.expect(202).json());
        let parked = client.wait_status(task.id(), "waiting").await;
        assert_eq!((&parked.0["waiting_for"], scenario.count()), (&json!("operator"), 1));
        client.post(&format!("/api/v1/tasks/{}/resume", task.id()), &json!({})).await.expect(202);
        client.wait_terminal(task.id()).await.expect("succeeded");
        assert_eq!(scenario.count(), 4, "the finished step was not run again");
    });
}

#[test]
fn a_task_that_nobody_takes_fails_in_time() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (first, gate) = at_work(&client, model, "plover-queue", "plover-queue").await;
        let fields = json!({"concurrency": {"key": "plover-queue"}, "queue_timeout_seconds": 1});
        let second = accepted(&client, "plover-queue", fields).await;
        let place = client.task(second.id()).await;
        assert!(place.0["queue"]["position"].as_u64().is_some_and(|position| position >= 1), "{:?}", place.0);
        let failed = client.wait_terminal(second.id()).await.expect("failed");
        assert_eq!(
            (&failed.0["error"]["code"], &failed.0["error"]["details"]["reason"]),
            (&json!("timeout"), &json!("queue_timeout"))
        );
        gate.open();
        client.wait_terminal(first.id()).await.expect("succeeded");
    });
}

#[test]
fn a_step_has_a_time_of_its_own() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("plover-step").always(Turn::text("late").delay(Duration::from_secs(2)));
        let task = accepted(&client, "plover-step", json!({"step_timeout_seconds": 1})).await;
        let failed = client.wait_terminal(task.id()).await.expect("failed");
        assert_eq!((failed.error_code(), failed.error_class()), ("timeout", "timeout"), "{:?}", failed.0);
    });
}

#[test]
fn a_business_key_makes_one_task_however_often_it_comes() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        let scenario = model.scenario("plover-order");
        scenario.always(Turn::text("once").hold(&gate));
        let sends = (0..20).map(|_| send(&client, "plover-order", json!({"dedup_key": "plover-7"})));
        let answers = futures::future::join_all(sends).await;
        let mut ids: Vec<String> = answers.iter().map(|answer| answer.clone().expect(202).json()["id"].to_string()).collect();
        assert_eq!(answers.iter().filter(|answer| answer.header("deduplicated").is_none()).count(), 1);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 1);
        let id = ids[0].trim_matches('"').to_owned();
        let reject = json!({"dedup_key": "plover-7", "dedup": {"on_conflict": "reject"}});
        let refused = expect_reason(&send(&client, "plover-order", reject.clone()).await, 409, "conflict", "duplicate");
        assert_eq!(refused["details"]["task_id"], json!(id));
        gate.open();
        client.wait_terminal(&id).await.expect("succeeded");
        assert_eq!(scenario.count(), 1);
        let next = accepted(&client, "plover-order", reject).await;
        assert_ne!(next.id(), id);
        client.wait_terminal(next.id()).await.expect("succeeded");
        let held = json!({"dedup_key": "plover-8", "dedup": {"mode": "ttl", "ttl_seconds": 3_600}});
        let first = accepted(&client, "plover-order", held.clone()).await;
        client.wait_terminal(first.id()).await.expect("succeeded");
        let again = send(&client, "plover-order", held).await.expect(202);
        assert_eq!((again.header("deduplicated"), again.json()["id"].as_str()), (Some("true"), Some(first.id())));
    });
}

#[test]
fn tasks_with_one_key_take_turns() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (first, gate) = at_work(&client, model, "plover-turns", "plover-turns").await;
        let refused = send(&client, "plover-turns", turn("plover-turns", "reject")).await;
        let body = expect_reason(&refused, 409, "conflict", "concurrency_conflict");
        assert_eq!(body["details"]["task_id"], json!(first.id()));
        let second = accepted(&client, "plover-turns", turn("plover-turns", "enqueue")).await;
        let elsewhere = accepted(&client, "plover-turns", turn("plover-other", "reject")).await;
        client.wait_status(elsewhere.id(), "running").await;
        assert_eq!(client.task(second.id()).await.status(), "queued", "another key runs, this one waits");
        gate.open();
        for task in [&first, &second, &elsewhere] {
            client.wait_terminal(task.id()).await.expect("succeeded");
        }
        let (first, second) = (client.task(first.id()).await, client.task(second.id()).await);
        assert!(second.0["started_at"].as_str() >= first.0["finished_at"].as_str(), "{:?} {:?}", first.0, second.0);
    });
}

#[test]
fn a_newer_task_takes_the_place_of_the_one_at_work() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        for (mode, keeps) in [("interrupt", true), ("rollback", false)] {
            let key = format!("plover-{mode}");
            let gate = Gate::new();
            let scenario = model.scenario(&key);
            scenario.then(Turn::text("first")).then(Turn::text("half").hold(&gate)).always(Turn::text("new"));
            let more = asking(json!({"concurrency": {"key": key}}));
            let first = Task(client.submit_answer("chain", &about(&key), &more).await.expect(202).json());
            while scenario.count() < 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let newest = accepted(&client, &key, turn(&key, mode)).await;
            let cancelled = client.wait_terminal(first.id()).await.expect("cancelled");
            assert_eq!(!cancelled.0["output"].is_null(), keeps, "{mode}: {:?}", cancelled.0["output"]);
            let log = whole_log(&client, first.id()).await;
            let end = &log[log.len() - 1]["data"];
            assert_eq!((&end["superseded_by"], &end["drops_output"]), (&newest.0["run"]["id"], &json!(!keeps)));
            client.wait_terminal(newest.id()).await.expect("succeeded");
            gate.open();
        }
    });
}

#[test]
fn inputs_are_merged_into_the_task_at_work() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        let scenario = model.scenario("plover-merge");
        scenario.then(Turn::text("first").hold(&gate));
        scenario.always(Turn::text("done"));
        let more = asking(turn("plover-merge", "merge"));
        let first = client.submit_answer("chain", &about("plover-merge"), &more).await.expect(202);
        assert!(first.header("merged-into").is_none(), "nobody is at work yet");
        let id = first.json()["id"].as_str().unwrap_or_default().to_owned();
        while scenario.count() < 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let merged = client.submit_answer("chain", &json!({"message": "and hurry, please"}), &more).await.expect(202);
        assert_eq!((merged.header("merged-into"), merged.json()["id"].as_str()), (Some(id.as_str()), Some(id.as_str())));
        gate.open();
        client.wait_terminal(&id).await.expect("succeeded");
        let heard = scenario.requests().iter().any(|request| request.chat.text().contains("and hurry, please"));
        assert!(heard, "the model has read the message");
    });
}
