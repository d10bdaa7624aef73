//! The same log over WebSocket.

use std::time::Duration;

use crewd_tests::client::WsReader;
use crewd_tests::errors::expect_error;
use crewd_tests::fake_llm::{Fault, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::{Value, json};

use crate::stage::{FIRST_KEY, about, keyed, stage, whole_log};

fn logged(messages: Vec<Value>) -> Vec<Value> {
    messages.into_iter().filter(|message| message["seq"].is_u64()).collect()
}

#[test]
fn reconnecting_at_every_event_gives_exactly_the_rest() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        model.scenario("dunlin-every");
        let task = client.run_crew("reference", &about("dunlin-every")).await.expect("succeeded");
        let log = whole_log(&client, task.id()).await;
        for cut in 0..=log.len() {
            let messages = client.ws(task.id(), &format!("after={cut}")).await.until(|_| false).await;
            assert_eq!(messages.first().map(|message| message["type"].clone()), Some(json!("stream.snapshot")), "{messages:?}");
            assert_eq!(logged(messages), log[cut..], "after {cut}");
        }
    });
}

#[test]
fn a_live_socket_is_the_log_and_can_be_left_and_joined() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("dunlin-live");
        scenario.when(|request| {
            (!request.tool_results().is_empty()).then(|| Turn::pieces(["a ", "b ", "c."]).drip(Duration::from_millis(60)).into())
        });
        let task = client.submit("reference", &about("dunlin-live")).await;
        let mut seen: Vec<Value> = Vec::new();
        loop {
            let mut socket = client.ws(task.id(), &format!("after={}", seen.len())).await;
            let mut budget = 3;
            let messages = socket
                .until(|message| {
                    budget -= i32::from(message["seq"].is_u64());
                    budget == 0
                })
                .await;
            let ended = budget > 0;
            seen.extend(logged(messages));
            if ended {
                break;
            }
        }
        assert_eq!(seen, whole_log(&client, task.id()).await);
    });
}

#[test]
fn a_socket_can_subscribe_from_a_number() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("dunlin-subscribe").then(Turn::text("x").hold(&gate));
        let task = client.submit("single", &about("dunlin-subscribe")).await;
        client.wait_status(task.id(), "running").await;
        let mut socket = client.ws(task.id(), "").await;
        socket.send(&json!({ "op": "subscribe", "after": 0 })).await;
        gate.open();
        let messages = socket.until(|message| message["type"] == "task.succeeded").await;
        let mut seqs: Vec<u64> = messages.iter().filter_map(|message| message["seq"].as_u64()).collect();
        seqs.dedup();
        let log = whole_log(&client, task.id()).await;
        assert!(seqs.ends_with(&(1..=log.len() as u64).collect::<Vec<_>>()), "the whole log, in order: {seqs:?}");
    });
}

#[test]
fn a_socket_can_cancel() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("dunlin-cancel");
        scenario.always(Fault::HangsBeforeHeaders);
        let task = client.submit("single", &about("dunlin-cancel")).await;
        eventually("the model is called", SOON, async || (scenario.count() > 0).then_some(())).await;
        let mut socket = client.ws(task.id(), "").await;
        socket.send(&json!({ "op": "cancel", "mode": "immediate" })).await;
        socket.until(|message| message["type"] == "task.cancelled").await;
        client.wait_terminal(task.id()).await.expect("cancelled");
    });
}

#[test]
fn nonsense_on_a_socket_is_answered_and_survived() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("dunlin-nonsense").then(Turn::text("x").hold_first(&gate));
        let task = client.submit("single", &about("dunlin-nonsense")).await;
        let mut socket = client.ws(task.id(), "").await;
        socket.send_text("not json").await;
        socket.send(&json!({ "op": "dance" })).await;
        gate.open();
        client.wait_terminal(task.id()).await.expect("succeeded");
        expect_error(&client.get("/api/v1/tasks/none").await, 404, "not_found");
    });
}

#[test]
fn an_upgrade_is_refused_like_any_request() {
    run(async {
        let (app, _) = stage().await;
        let url = app.url().replacen("http://", "ws://", 1);
        let unknown = format!("{url}/api/v1/tasks/01890000-0000-7000-8000-000000000000/ws");
        let (status, body) = WsReader::try_connect(&unknown, None).await.expect_err("no such task");
        assert_eq!(status, 404, "{body}");
        let plain = app.client().get("/api/v1/tasks/01890000-0000-7000-8000-000000000000/ws").await;
        assert!((400..500).contains(&plain.status), "{}", plain.text);

        let keyed = keyed().await;
        let client = keyed.client().with_key(FIRST_KEY);
        let task = client.run_crew("research", &json!({ "topic": "dunlin-key" })).await;
        let url = format!("{}/api/v1/tasks/{}/ws", keyed.url().replacen("http://", "ws://", 1), task.id());
        for key in [None, Some("wrong-key-wrong-key-wrong-key-wrong")] {
            let (status, body) = WsReader::try_connect(&url, key).await.expect_err("no key");
            assert_eq!(status, 401, "{body}");
        }
        WsReader::try_connect(&url, Some(FIRST_KEY)).await.expect("the right key");
    });
}
