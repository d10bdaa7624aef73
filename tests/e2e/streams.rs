//! The event stream over SSE, and the log as JSON.

use std::time::Duration;

use crewd_tests::client::{Client, SseFrame};
use crewd_tests::errors::{expect_error, expect_reason};
use crewd_tests::fake_llm::{FakeLlm, Gate, Turn};
use crewd_tests::runtime::{SOON, eventually, run};
use serde_json::Value;

use crate::stage::{about, check_log, stage, whole_log};

/// Events of a stream without its control frames.
fn logged(frames: &[SseFrame]) -> Vec<Value> {
    frames.iter().filter(|frame| frame.id.is_some()).map(SseFrame::json).collect()
}

/// A finished task with a log of some length.
async fn finished(client: &Client, model: &FakeLlm, marker: &str) -> (String, Vec<Value>) {
    let scenario = model.scenario(marker);
    scenario.when(|request| {
        (!request.tool_results().is_empty())
            .then(|| Turn::pieces(["one ", "two ", "three."]).drip(Duration::from_millis(40)).into())
    });
    let task = client.run_crew("reference", &about(marker)).await.expect("succeeded");
    let log = whole_log(client, task.id()).await;
    assert!(log.len() > 15, "a log worth reconnecting to: {}", log.len());
    (task.id().to_owned(), log)
}

#[test]
fn a_live_stream_is_the_log() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("plover-live").then(Turn::text("one ").hold(&gate).and_text("two"));
        let task = client.submit("single", &about("plover-live")).await;
        let mut stream = client.sse(task.id(), "", None).await;
        let before = stream.until(|frame| frame.event == "llm.delta").await;
        assert_eq!(before[0].event, "stream.snapshot", "{before:?}");
        assert_eq!(before[0].id, None, "control frames carry no id");
        assert!(before[0].json()["seq"].is_null());
        assert!(before.iter().any(|frame| frame.data.contains("one ")), "seen while the model still speaks: {before:?}");
        gate.open();
        let rest = stream.to_end().await;
        let last = rest.last().expect("frames");
        assert_eq!(last.event, "end", "{rest:?}");
        assert_eq!(last.id, None);
        let seen = [logged(&before), logged(&rest)].concat();
        assert_eq!(seen, whole_log(&client, task.id()).await, "exactly the log");
        for frame in before.iter().chain(&rest).filter(|frame| frame.id.is_some()) {
            assert_eq!(frame.id.as_deref(), frame.json()["seq"].as_u64().map(|seq| seq.to_string()).as_deref());
            assert_eq!(frame.event, frame.json()["type"]);
        }
    });
}

#[test]
fn a_stream_has_the_headers_that_proxies_need() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (id, _) = finished(&client, model, "plover-headers").await;
        let mut stream = client.sse(&id, "", None).await;
        let header = |name: &str| stream.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        assert!(header("cache-control").contains("no-"), "{:?}", stream.headers);
        assert_eq!(header("x-accel-buffering"), "no");
        assert!(!header("x-request-id").is_empty());
        let mut hints = 0;
        while let Some(frame) = stream.next_any().await {
            hints += usize::from(frame.retry.is_some());
        }
        assert!(hints >= 1, "a hint when to come back");
    });
}

#[test]
fn reconnecting_at_every_event_gives_exactly_the_rest() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (id, log) = finished(&client, model, "plover-every").await;
        for cut in 0..=log.len() {
            let by_header = client.sse(&id, "", Some(&cut.to_string())).await.to_end().await;
            assert_eq!(logged(&by_header), log[cut..], "Last-Event-ID: {cut}");
            let by_query = client.sse(&id, &format!("after={cut}"), None).await.to_end().await;
            assert_eq!(logged(&by_query), log[cut..], "?after={cut}");
            assert_eq!(by_query.last().map(|frame| frame.event.as_str()), Some("end"));
            assert_eq!(client.events(&id, cut as u64).await, log[cut..], "JSON after {cut}");
        }
    });
}

#[test]
fn a_client_that_drops_after_every_event_of_a_live_run_sees_the_log_once() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("plover-drop");
        scenario.when(|request| {
            (!request.tool_results().is_empty())
                .then(|| Turn::pieces(["a ", "b ", "c ", "d."]).drip(Duration::from_millis(60)).into())
        });
        let task = client.submit("reference", &about("plover-drop")).await;
        let mut seen: Vec<Value> = Vec::new();
        let mut ended = false;
        while !ended {
            let last = seen.len().to_string();
            let mut stream = client.sse(task.id(), "", Some(&last).filter(|_| !seen.is_empty()).map(String::as_str)).await;
            let frames = stream.until(|frame| frame.id.is_some()).await;
            ended = frames.iter().any(|frame| frame.event == "end");
            seen.extend(logged(&frames));
            assert!(seen.len() < 1000, "no end");
        }
        check_log(task.id(), &seen);
        assert_eq!(seen, whole_log(&client, task.id()).await);
    });
}

#[test]
fn types_filter_without_renumbering() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (id, log) = finished(&client, model, "plover-types").await;
        let wanted: Vec<Value> =
            log.iter().filter(|event| event["type"] == "tool.completed" || event["type"] == "llm.started").cloned().collect();
        let query = "types=tool.completed,llm.started";
        let streamed = client.sse(&id, query, None).await.to_end().await;
        assert_eq!(logged(&streamed), wanted);
        assert_eq!(client.events_page(&id, query).await["items"].as_array(), Some(&wanted));
        let answer = client.get(&format!("/api/v1/tasks/{id}/events?types=tool.bogus")).await;
        expect_error(&answer, 422, "validation_failed");
    });
}

#[test]
fn a_step_can_be_followed_alone() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (id, log) = finished(&client, model, "plover-steps").await;
        let below = |event: &&Value| event["step"].as_str().is_some_and(|step| step.starts_with("crew_task[1]"));
        let wanted: Vec<Value> = log.iter().filter(below).cloned().collect();
        let streamed = client.sse(&id, "steps=crew_task[1]", None).await.to_end().await;
        assert_eq!(logged(&streamed), wanted);
    });
}

#[test]
fn cursors_out_of_shape_are_refused() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let (id, _) = finished(&client, model, "plover-shape").await;
        let path = format!("/api/v1/tasks/{id}/events");
        for last in ["abc", "-1", "1.5", "99999999999999999999999"] {
            let request = client.request("GET", &path).header("accept", "text/event-stream").header("last-event-id", last);
            expect_reason(&client.send(request).await, 400, "bad_request", "invalid_event_id");
        }
        for after in ["abc", "-1"] {
            let answer = client.get(&format!("{path}?after={after}")).await;
            assert!([400, 422].contains(&answer.status), "{}", answer.text);
        }
        let above = client.sse(&id, "", Some("100000")).await.to_end().await;
        assert_eq!(logged(&above), Vec::<Value>::new(), "nothing lies above the end of an ended task");
        assert_eq!(above.last().map(|frame| frame.event.as_str()), Some("end"));
    });
}

#[test]
fn a_slow_reader_gets_everything_and_holds_nobody_up() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let scenario = model.scenario("plover-slow");
        let long = "word ".repeat(4000);
        scenario.always(Turn::text(&long).and_text(&long).and_text(&long));
        let task = client.submit("chain", &about("plover-slow")).await;
        let mut slow = client.sse(task.id(), "", None).await;
        let fast = client.sse(task.id(), "", None).await.to_end().await;
        assert_eq!(fast.last().map(|frame| frame.event.as_str()), Some("end"), "the fast reader is done");
        while slow.read_some(Duration::from_millis(500)).await.is_some_and(|read| read > 0) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let frames = slow.to_end().await;
        assert_eq!(logged(&frames), whole_log(&client, task.id()).await);
    });
}

#[test]
fn a_reader_that_leaves_does_not_stop_the_run() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("plover-leave").then(Turn::text("one ").hold(&gate).and_text("two"));
        let task = client.submit("single", &about("plover-leave")).await;
        let mut stream = client.sse(task.id(), "", None).await;
        stream.until(|frame| frame.event == "llm.delta").await;
        drop(stream);
        gate.open();
        assert_eq!(client.wait_terminal(task.id()).await.expect("succeeded").raw(), "one two");
    });
}

#[test]
fn deltas_join_to_the_text_and_are_coalesced() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let mut turn = Turn::text("w0 ");
        for number in 1..300 {
            turn = turn.and_text(&format!("w{number} "));
        }
        model.scenario("plover-join").always(turn);
        let task = client.run_crew("single", &about("plover-join")).await.expect("succeeded");
        let log = whole_log(&client, task.id()).await;
        let deltas: Vec<&str> =
            log.iter().filter(|event| event["type"] == "llm.delta").filter_map(|event| event["data"]["text"].as_str()).collect();
        let expected: String = (0..300).map(|number| format!("w{number} ")).collect();
        assert_eq!(deltas.concat(), expected);
        assert!(deltas.len() < 100, "300 pieces in one burst are not 300 rows: {}", deltas.len());
        assert_eq!(task.raw().trim(), expected.trim());
    });
}

#[test]
fn a_streamed_piece_reaches_the_reader_while_the_model_waits() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gates = [Gate::new(), Gate::new(), Gate::new()];
        let mut turn = Turn::text("p0 ");
        for (number, gate) in gates.iter().enumerate() {
            turn = turn.hold(gate).and_text(&format!("p{} ", number + 1));
        }
        model.scenario("plover-pace").always(turn);
        let task = client.submit("single", &about("plover-pace")).await;
        let mut stream = client.sse(task.id(), "types=llm.delta", None).await;
        let mut seen = String::new();
        for (number, gate) in gates.iter().enumerate() {
            while !seen.contains(&format!("p{number} ")) {
                let frame = stream.next().await.expect("a frame");
                if frame.id.is_some() {
                    seen.push_str(frame.json()["data"]["text"].as_str().unwrap_or_default());
                }
            }
            gate.open();
        }
        stream.to_end().await;
        assert_eq!(client.wait_terminal(task.id()).await.raw().trim(), "p0 p1 p2 p3");
    });
}

#[test]
fn streams_of_many_readers_agree() {
    run(async {
        let (app, model) = stage().await;
        let client = app.client();
        let gate = Gate::new();
        model.scenario("plover-many").then(Turn::text("x").hold(&gate));
        let task = client.submit("single", &about("plover-many")).await;
        let mut readers = Vec::new();
        for _ in 0..10 {
            readers.push(client.sse(task.id(), "", None).await);
        }
        gate.open();
        eventually("the task ends", SOON, async || client.task(task.id()).await.is_terminal().then_some(())).await;
        let log = whole_log(&client, task.id()).await;
        for mut reader in readers {
            assert_eq!(logged(&reader.to_end().await), log);
        }
    });
}
