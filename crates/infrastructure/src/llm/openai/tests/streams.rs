use crewd_application::ports::{FinishReason, LanguageModel, ModelDelta, ModelErrorKind, ModelRequest};
use crewd_application::testing::llm::{Gate, collect, simple_request};
use futures::StreamExt;
use serde_json::json;

use super::server::{Act, DONE, FakeServer, USAGE, chunked, delta, json, stream, stream_head};

fn text(content: &str) -> String {
    delta(&json!({"content": content}), "")
}

fn joined(pieces: &[ModelDelta]) -> String {
    pieces.iter().map(|piece| if let ModelDelta::Text(text) = piece { text.as_str() } else { "" }).collect()
}

#[tokio::test]
async fn text_reasoning_usage_and_names_are_read() {
    let events = [
        delta(&json!({"role": "assistant", "content": ""}), ""),
        ": keep-alive\n\n".to_owned(),
        delta(&json!({"reasoning_content": "Let me "}), ""),
        delta(&json!({"reasoning": "think."}), ""),
        text("你好"),
        text(", world"),
        delta(&json!({"content": ""}), "stop"),
        delta(&json!({}), "stop"),
        USAGE.to_owned(),
        DONE.to_owned(),
    ];
    let server = FakeServer::sending(stream(&events.concat())).await;
    let (pieces, outcome) = collect(server.provider().call(simple_request("Hi"))).await;
    let response = outcome.expect("an answer");
    assert_eq!((response.text.as_str(), response.reasoning.as_str()), ("你好, world", "Let me think."));
    assert_eq!((response.id.as_str(), response.model.as_str()), ("chatcmpl-1", "qwen-plus-latest"));
    assert_eq!(response.finish_reason, FinishReason::Stop);
    let usage = response.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, usage.llm_calls), (11, 7, 3, 1));
    assert!(!response.usage_estimated && !response.simulated);
    assert_eq!(joined(&pieces), "你好, world");
}

#[tokio::test]
async fn the_answer_is_the_same_wherever_the_bytes_are_cut() {
    let bytes = stream(&[text("你"), text("好"), delta(&json!({}), "stop"), DONE.to_owned()].concat());
    let head = stream_head().len();
    for cut in (head..bytes.len()).step_by(3) {
        let acts = vec![Act::Send(bytes[..cut].to_vec()), Act::Send(bytes[cut..].to_vec()), Act::Close];
        let server = FakeServer::acting(acts).await;
        let (pieces, outcome) = collect(server.provider().call(simple_request("Hi"))).await;
        assert_eq!(outcome.expect("an answer").text, "你好", "cut at {cut}");
        assert_eq!(joined(&pieces), "你好", "cut at {cut}");
    }
}

#[tokio::test]
async fn a_piece_leaves_before_the_next_one_comes() {
    let gate = Gate::new();
    let rest = [delta(&json!({"content": "two"}), "stop"), DONE.to_owned()].concat();
    let acts = vec![Act::Send(stream(&text("one "))), Act::Hold(gate.clone()), Act::Send(rest.into_bytes()), Act::Close];
    let server = FakeServer::acting(acts).await;
    let mut answer = server.provider().call(simple_request("Hi"));
    assert_eq!(answer.next().await, Some(Ok(ModelDelta::Text("one ".to_owned()))));
    gate.open();
    assert_eq!(collect(answer).await.1.expect("an answer").text, "one two");
}

#[tokio::test]
async fn usage_in_any_event_counts_and_missing_usage_is_estimated() {
    let with_usage = r#"data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":1,"prompt_cache_hit_tokens":2}}"#;
    let server = FakeServer::sending(stream(&format!("{with_usage}\n\n{DONE}"))).await;
    let response = collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer");
    assert_eq!((response.usage.input_tokens, response.usage.cached_input_tokens), (4, 2));
    assert_eq!(response.model, "qwen-plus", "the model that was asked stands in for the one that is not named");

    let events = [delta(&json!({"content": "今天天气很好"}), "stop"), DONE.to_owned()].concat();
    let server = FakeServer::sending(stream(&events)).await;
    let response = collect(server.provider().call(simple_request("12345678"))).await.1.expect("an answer");
    assert!(response.usage_estimated);
    assert_eq!((response.usage.input_tokens, response.usage.output_tokens), (6, 5));
}

#[tokio::test]
async fn the_end_may_lack_done_if_a_reason_to_stop_came() {
    let server = FakeServer::sending(stream(&delta(&json!({"content": "Hi"}), "length"))).await;
    let response = collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer");
    assert_eq!(response.finish_reason, FinishReason::Length);

    let events = [delta(&json!({"content": "Hi"}), "stop"), "data: {\"broken\n\n".to_owned()].concat();
    let server = FakeServer::acting(vec![Act::Send(stream(&events)), Act::Reset]).await;
    let response = collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer");
    assert_eq!(response.text, "Hi", "neither a broken event nor a reset takes away from a whole answer");

    let server = FakeServer::sending(stream(&[text("Hi"), DONE.to_owned()].concat())).await;
    let response = collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer");
    assert_eq!(response.finish_reason, FinishReason::Stop, "done is an end, too");
}

#[tokio::test]
async fn a_stream_that_ends_without_reason_is_interrupted_and_keeps_its_pieces() {
    for end in [Act::Close, Act::Reset] {
        let gate = Gate::new();
        let server = FakeServer::acting(vec![Act::Send(stream(&text("half"))), Act::Hold(gate.clone()), end.clone()]).await;
        let mut answers = server.providers().map(|provider| provider.call(simple_request("Hi")));
        for answer in &mut answers {
            assert_eq!(answer.next().await, Some(Ok(ModelDelta::Text("half".to_owned()))));
        }
        gate.open();
        for answer in answers {
            let error = collect(answer).await.1.expect_err("half an answer");
            assert_eq!(error.kind, ModelErrorKind::Interrupted, "{end:?}: {error}");
        }
    }
}

#[tokio::test]
async fn tool_calls_of_several_vendors_are_read() {
    let first = json!({"tool_calls": [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "one", "arguments": "{\"x\":"}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "two", "arguments": null}}]});
    let second = json!({"tool_calls": [{"index": 0, "id": "", "function": {"name": "", "arguments": "1}"}}]});
    let events = [delta(&first, ""), delta(&second, ""), delta(&json!({}), "stop"), DONE.to_owned()].concat();
    let server = FakeServer::sending(stream(&events)).await;
    let response = collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer");
    assert_eq!(response.finish_reason, FinishReason::ToolCalls, "calls end with tool calls, whatever the vendor says");
    let calls: Vec<_> = response.tool_calls.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.as_str())).collect();
    assert_eq!(calls, [("a", "one", "{\"x\":1}"), ("b", "two", "{}")]);

    let bare = json!({"tool_calls": [{"function": {"name": "one", "arguments": {"x": 1}}}]});
    let server = FakeServer::sending(stream(&[delta(&bare, "tool_calls"), DONE.to_owned()].concat())).await;
    let response = collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer");
    let calls: Vec<_> = response.tool_calls.iter().map(|c| (c.id.as_str(), c.name.as_str(), c.arguments.as_str())).collect();
    assert_eq!(calls, [("call_0", "one", "{\"x\":1}")]);
}

#[tokio::test]
async fn a_whole_answer_to_a_streamed_request_is_read_too() {
    let body = json!({"id": "c", "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]});
    for headers in ["content-type: application/json\r\n", ""] {
        let server = FakeServer::sending(super::server::answer("200 OK", headers, &body.to_string())).await;
        let (pieces, outcome) = collect(server.provider().call(simple_request("Hi"))).await;
        assert_eq!(outcome.expect("an answer").text, "Hi");
        assert_eq!(joined(&pieces), "Hi");
    }
}

#[tokio::test]
async fn events_to_a_whole_request_or_without_a_type_are_read_too() {
    let events = [delta(&json!({"content": "Hi"}), "stop"), DONE.to_owned()].concat();
    let server = FakeServer::sending(stream(&events)).await;
    let (pieces, outcome) = collect(server.provider().call(ModelRequest { stream: false, ..simple_request("Hi") })).await;
    assert_eq!((pieces.len(), outcome.expect("an answer").text.as_str()), (0, "Hi"));

    let untyped = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{events}");
    let server = FakeServer::sending(untyped).await;
    assert_eq!(collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer").text, "Hi");
}

#[tokio::test]
async fn a_whole_message_after_the_pieces_does_not_repeat_them() {
    let last = r#"data: {"choices":[{"index":0,"message":{"content":"Hi there"},"finish_reason":"stop"}]}"#;
    let server = FakeServer::sending(stream(&[text("Hi "), text("there"), format!("{last}\n\n")].concat())).await;
    assert_eq!(collect(server.provider().call(simple_request("Hi"))).await.1.expect("an answer").text, "Hi there");
}

#[tokio::test]
async fn dropping_the_stream_closes_the_connection() {
    let server = FakeServer::acting(vec![Act::Send(stream(&text("half"))), Act::AwaitClose]).await;
    for (closed, provider) in server.providers().into_iter().enumerate() {
        let mut answer = provider.call(simple_request("Hi"));
        assert!(answer.next().await.is_some());
        drop(answer);
        server.closed(closed + 1).await;
    }
}

#[tokio::test]
async fn dropping_a_call_that_waits_for_its_head_closes_the_connection() {
    let server = FakeServer::acting(vec![Act::AwaitClose]).await;
    for (closed, provider) in server.providers().into_iter().enumerate() {
        let call = tokio::spawn(collect(provider.call(simple_request("Hi"))));
        while server.count() == closed {
            tokio::task::yield_now().await;
        }
        call.abort();
        server.closed(closed + 1).await;
    }
}

#[tokio::test]
async fn whole_answers_leave_their_connection_to_the_next_call() {
    let events = [delta(&json!({"content": "Hi"}), "stop"), DONE.to_owned()];
    let server = FakeServer::new(move |request| match request.body["stream"].as_bool() {
        Some(true) => chunked(&[&events[0], &events[1]]),
        _ => vec![Act::Send(json("200 OK", &json!({"choices": [{"message": {"content": "Hi"}}]})))],
    })
    .await;
    for provider in server.providers() {
        let before = server.connections();
        for call in 0..6 {
            let request = ModelRequest { stream: call % 2 == 0, ..simple_request("Hi") };
            assert!(collect(provider.call(request)).await.1.is_ok());
            // The rest of the body is read in the background.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
        let connections = server.connections() - before;
        assert!(connections < 6, "connections: {connections}");
    }
}
