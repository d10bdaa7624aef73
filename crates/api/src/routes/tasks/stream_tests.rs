use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures::StreamExt;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::testing::Stage;

/// One frame of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
struct Frame {
    id: Option<u64>,
    event: String,
    data: Value,
    comment: bool,
    retry: Option<u64>,
}

fn frames(text: &str) -> Vec<Frame> {
    text.split_terminator("\n\n").map(frame).collect()
}

fn frame(text: &str) -> Frame {
    let mut frame = Frame::default();
    for line in text.lines() {
        let (name, value) = line.split_once(':').expect("a field");
        let value = value.trim_start();
        match name {
            "" => frame.comment = true,
            "id" => frame.id = Some(value.parse().unwrap()),
            "event" => frame.event = value.to_owned(),
            "data" => frame.data = serde_json::from_str(value).unwrap(),
            "retry" => frame.retry = Some(value.parse().unwrap()),
            other => panic!("{other} in {text}"),
        }
    }
    frame
}

fn sse(stage: &Stage, id: &str, query: &str, last: Option<&str>) -> Request<Body> {
    let request = stage.request("GET", &format!("/api/v1/tasks/{id}/events?{query}")).header("accept", "text/event-stream");
    let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
    request.body(Body::empty()).unwrap()
}

async fn whole(stage: &Stage, id: &str, query: &str, last: Option<&str>) -> Vec<Frame> {
    frames(stage.send(sse(stage, id, query, last)).await.expect(200).text())
}

fn numbers(frames: &[Frame]) -> Vec<u64> {
    frames.iter().filter_map(|frame| frame.id).collect()
}

async fn finished(stage: &Stage, log: usize) -> String {
    let id = stage.submit().await;
    stage.start(&id).await;
    stage.log(&id, log).await;
    stage.succeed(&id).await;
    id
}

#[tokio::test]
async fn a_stream_is_snapshot_log_and_end() {
    let stage = Stage::new();
    let id = finished(&stage, 3).await;
    let answer = stage.send(sse(&stage, &id, "", None)).await.expect(200);
    assert_eq!(answer.header("content-type"), "text/event-stream; charset=utf-8");
    assert_eq!((answer.header("cache-control"), answer.header("x-accel-buffering")), ("no-cache", "no"));
    let frames = frames(answer.text());
    let first = &frames[0];
    assert_eq!((first.event.as_str(), first.id), ("stream.snapshot", None));
    assert_eq!(
        (&first.data["status"], &first.data["last_seq"], &first.data["task_id"]),
        (&json!("succeeded"), &json!(6), &json!(id))
    );
    assert!(first.data["version"].is_u64() && first.data.get("seq").is_none());
    assert!(first.retry.is_some_and(|retry| (1_000..3_000).contains(&retry)), "{first:?}");
    assert_eq!(numbers(&frames), [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        (frames[1].event.as_str(), &frames[1].data["type"], &frames[1].data["seq"]),
        ("task.queued", &json!("task.queued"), &json!(1))
    );
    let last = frames.last().unwrap();
    assert_eq!((last.event.as_str(), last.id), ("end", None));
}

#[tokio::test]
async fn reconnecting_at_every_event_gives_exactly_the_rest() {
    let stage = Stage::new();
    let id = finished(&stage, 9).await;
    let all: Vec<u64> = (1..=12).collect();
    for cut in 0..=12_usize {
        let number = cut.to_string();
        assert_eq!(numbers(&whole(&stage, &id, "", Some(&number)).await), all[cut..], "Last-Event-ID {cut}");
        assert_eq!(numbers(&whole(&stage, &id, &format!("after={cut}"), None).await), all[cut..], "after {cut}");
        let both = whole(&stage, &id, "after=0", Some(&number)).await;
        assert_eq!(numbers(&both), all[cut..], "the header goes first");
        assert_eq!(both.last().unwrap().event, "end");
    }
    assert_eq!(numbers(&whole(&stage, &id, "", Some("100000")).await), Vec::<u64>::new(), "nothing lies above the end");
}

#[tokio::test]
async fn numbers_and_types_out_of_shape_are_refused() {
    let stage = Stage::new();
    let id = finished(&stage, 1).await;
    for last in ["abc", "-1", "1.5", "99999999999999999999999", ""] {
        stage.send(sse(&stage, &id, "", Some(last))).await.expect_reason(400, "bad_request", "invalid_event_id");
    }
    for after in ["abc", "-1"] {
        stage.get(&format!("/api/v1/tasks/{id}/events?after={after}")).await.expect_reason(
            400,
            "bad_request",
            "invalid_event_id",
        );
    }
    for accept in ["application/json", "text/event-stream"] {
        let request = stage.request("GET", &format!("/api/v1/tasks/{id}/events?types=tool.bogus")).header("accept", accept);
        stage.send(request.body(Body::empty()).unwrap()).await.expect_fields(422, "validation_failed", &["/types"]);
    }
    stage.send(sse(&stage, &id, "limit=5", None)).await.expect_reason(422, "validation_failed", "unknown_filter");
}

#[tokio::test]
async fn types_filter_without_renumbering() {
    let stage = Stage::new();
    let id = finished(&stage, 3).await;
    assert_eq!(numbers(&whole(&stage, &id, "types=task.queued,task.succeeded", None).await), [1, 6]);
    assert_eq!(numbers(&whole(&stage, &id, "types=budget.alert", None).await), Vec::<u64>::new());
    let page = stage.get(&format!("/api/v1/tasks/{id}/events?types=task.queued,task.succeeded")).await.expect(200).json();
    assert_eq!(Stage::seqs(page["items"].as_array().unwrap()), [1, 6]);
    let none = stage.get(&format!("/api/v1/tasks/{id}/events?types=budget.alert")).await.expect(200).json();
    assert_eq!(none, json!({"items": [], "next_cursor": null}));
    assert_eq!(numbers(&whole(&stage, &id, "steps=crew_task%5B0%5D", None).await), Vec::<u64>::new());
}

#[tokio::test]
async fn the_log_is_paged_as_json() {
    let stage = Stage::new();
    let id = finished(&stage, 4).await;
    let path = format!("/api/v1/tasks/{id}/events");
    let first = stage.get(&format!("{path}?limit=4&after=1")).await.expect(200).json();
    assert_eq!(Stage::seqs(first["items"].as_array().unwrap()), [2, 3, 4, 5]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = stage.get(&format!("{path}?limit=4&cursor={cursor}")).await.expect(200).json();
    assert_eq!(Stage::seqs(second["items"].as_array().unwrap()), [6, 7]);
    assert_eq!(second["next_cursor"], json!(null));
    let other = finished(&stage, 0).await;
    stage.get(&format!("/api/v1/tasks/{other}/events?cursor={cursor}")).await.expect_reason(400, "bad_request", "invalid_cursor");
    stage.get(&format!("{path}?limit=0")).await.expect_reason(422, "validation_failed", "out_of_range");
}

#[tokio::test]
async fn a_live_stream_hears_what_happens() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let mut body = stage.open(sse(&stage, &id, "", None)).await.into_body().into_data_stream();
    let mut text = String::new();
    let mut read_until = async |text: &mut String, end: &str| {
        while !text.contains(end) {
            text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
        }
    };
    read_until(&mut text, "task.queued").await;
    stage.start(&id).await;
    read_until(&mut text, "task.started").await;
    stage.succeed(&id).await;
    read_until(&mut text, "event: end").await;
    assert_eq!(numbers(&frames(&text)), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_shows_that_it_lives_and_ends_with_the_server() {
    let stage = Stage::new();
    let id = stage.submit().await;
    let mut body = stage.open(sse(&stage, &id, "", None)).await.into_body().into_data_stream();
    let mut next = async || String::from_utf8(body.next().await.expect("more").unwrap().to_vec()).unwrap();
    assert!(next().await.contains("stream.snapshot"));
    assert!(next().await.contains("task.queued"));
    let begun = tokio::time::Instant::now();
    assert_eq!((next().await, begun.elapsed()), (": keep-alive\n\n".to_owned(), Duration::from_secs(15)));
    assert_eq!((next().await, begun.elapsed()), (": keep-alive\n\n".to_owned(), Duration::from_secs(30)));
    stage.shutdown.cancel();
    let last = frames(&next().await);
    assert!(last[0].comment && last[0].retry.is_some() && last[0].event.is_empty(), "{last:?}");
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_long_log_is_replayed_in_few_pieces() {
    let stage = Stage::new();
    let id = finished(&stage, 2_000).await;
    let response = stage.open(sse(&stage, &id, "", None)).await;
    let pieces: Vec<_> = StreamExt::collect(response.into_body().into_data_stream()).await;
    assert!(pieces.len() < 60, "{} pieces", pieces.len());
    let text: Vec<u8> = pieces.into_iter().flat_map(|piece| piece.unwrap()).collect();
    assert_eq!(numbers(&frames(std::str::from_utf8(&text).unwrap())), (1..=2_003).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let stage = Stage::new();
    let id = finished(&stage, 1).await;
    let request = stage.request("HEAD", &format!("/api/v1/tasks/{id}")).body(Body::empty()).unwrap();
    let response = stage.open(request).await;
    assert_eq!(response.status(), 200);
    assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty());
}
