use std::time::Duration;

use crewd_application::ports::{LanguageModel, ModelDelta, ModelErrorKind, ModelRequest};
use crewd_application::testing::llm::{collect, simple_request};
use serde_json::json;

use super::server::{Act, FakeServer, both, delta, stream, stream_head};

/// Long enough for bytes on one machine, short enough for a test.
const SHORT: Duration = Duration::from_millis(40);

#[tokio::test]
async fn silence_before_the_first_byte_is_a_timeout() {
    for acts in [vec![Act::AwaitClose], vec![Act::Send(stream_head()), Act::AwaitClose]] {
        let server = FakeServer::acting(acts).await;
        let mut config = server.config();
        config.limits.first_byte = SHORT;
        for (closed, provider) in both(config).into_iter().enumerate() {
            let error = collect(provider.call(simple_request("Hi"))).await.1.expect_err("a time-out");
            assert_eq!(error.kind, ModelErrorKind::Timeout);
            assert_eq!(error.message, "dashscope sent nothing for 40 ms");
            server.closed(closed + 1).await;
        }
    }
}

#[tokio::test]
async fn silence_in_the_middle_is_a_timeout_after_the_pieces() {
    let half = stream(&delta(&json!({"content": "half"}), ""));
    let server = FakeServer::acting(vec![Act::Send(half), Act::AwaitClose]).await;
    let mut config = server.config();
    config.limits.idle = SHORT;
    for (closed, provider) in both(config).into_iter().enumerate() {
        let (pieces, outcome) = collect(provider.call(simple_request("Hi"))).await;
        assert_eq!(pieces, [ModelDelta::Text("half".to_owned())]);
        assert_eq!(outcome.expect_err("a time-out").kind, ModelErrorKind::Timeout);
        server.closed(closed + 1).await;
    }
}

#[tokio::test]
async fn silence_after_the_reason_to_stop_is_an_end() {
    let whole = stream(&delta(&json!({"content": "whole"}), "stop"));
    let server = FakeServer::acting(vec![Act::Send(whole), Act::AwaitClose]).await;
    let mut config = server.config();
    config.limits.idle = SHORT;
    for provider in both(config) {
        let outcome = collect(provider.call(simple_request("Hi"))).await.1;
        assert_eq!(outcome.expect("an answer").text, "whole");
    }
}

#[tokio::test]
async fn the_whole_call_has_a_limit() {
    for stream_pieces in [true, false] {
        let server = FakeServer::acting(vec![Act::AwaitClose]).await;
        let request = ModelRequest { time_limit: SHORT, stream: stream_pieces, ..simple_request("Hi") };
        for (closed, provider) in server.providers().into_iter().enumerate() {
            let error = collect(provider.call(request.clone())).await.1.expect_err("a time-out");
            assert_eq!(error.kind, ModelErrorKind::Timeout);
            assert_eq!(error.message, "dashscope did not finish in the time allowed");
            server.closed(closed + 1).await;
        }
    }
}
