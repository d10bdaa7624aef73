use std::time::Duration;

use crewd_application::ports::{LanguageModel, ModelDelta, ModelError, ModelErrorKind, ModelRequest};
use crewd_application::testing::llm::{collect, simple_request};
use futures::StreamExt;
use serde_json::json;
use tokio::net::TcpListener;

use super::server::{Act, DONE, FakeServer, KEY, answer, both, delta, json, stream};
use crate::llm::openai::OpenAiConfig;

/// The error that these bytes become, over both of the HTTP clients.
async fn error_of(bytes: impl Into<Vec<u8>>) -> ModelError {
    let server = FakeServer::sending(bytes).await;
    let [plain, general] = server.providers();
    let error = collect(plain.call(simple_request("Hi"))).await.1.expect_err("an error");
    let other = collect(general.call(simple_request("Hi"))).await.1.expect_err("an error");
    assert_eq!(error, other);
    error
}

#[tokio::test]
async fn statuses_become_kinds_with_the_providers_words() {
    let cases = [
        ("401 Unauthorized", "invalid_api_key", ModelErrorKind::Unauthorized),
        ("402 Payment Required", "Arrearage", ModelErrorKind::Unauthorized),
        ("404 Not Found", "model_not_found", ModelErrorKind::UnknownModel),
        ("408 Request Timeout", "timeout", ModelErrorKind::Timeout),
        ("429 Too Many Requests", "insufficient_quota", ModelErrorKind::RateLimited),
        ("400 Bad Request", "context_length_exceeded", ModelErrorKind::ContextLength),
        ("400 Bad Request", "content_filter", ModelErrorKind::ContentFilter),
        ("422 Unprocessable Entity", "bad", ModelErrorKind::InvalidRequest),
        ("500 Internal Server Error", "server_error", ModelErrorKind::Unavailable),
    ];
    for (status, code, kind) in cases {
        let body = json!({"error": {"message": "The provider's own words.", "code": code}});
        let error = error_of(json(status, &body)).await;
        assert_eq!(error.kind, kind, "{status}");
        assert_eq!(error.status, status[..3].parse().ok());
        for word in ["dashscope", &status[..3], "The provider's own words.", code] {
            assert!(error.message.contains(word), "{} lacks {word}", error.message);
        }
    }
}

#[tokio::test]
async fn the_provider_says_when_to_ask_again() {
    let body = r#"{"error":{"message":"slow down"}}"#;
    let error = error_of(answer("429 Too Many Requests", "retry-after: 7\r\n", body)).await;
    assert_eq!(error.retry_after, Some(Duration::from_secs(7)));
    let error = error_of(answer("503 Service Unavailable", "retry-after-ms: 1500\r\n", body)).await;
    assert_eq!(error.retry_after, Some(Duration::from_millis(1500)));
    let error = error_of(answer("400 Bad Request", "retry-after: 7\r\n", body)).await;
    assert_eq!(error.retry_after, None);
}

#[tokio::test]
async fn the_key_is_in_no_message() {
    let body =
        json!({"error": {"message": format!("Incorrect API key provided: {KEY}. Find yours."), "code": "invalid_api_key"}});
    for bytes in [json("401 Unauthorized", &body), json("200 OK", &body), stream(&format!("event: error\ndata: {body}\n\n"))] {
        let error = error_of(bytes).await;
        assert!(!error.message.contains(KEY) && error.message.contains("***"), "{}", error.message);
        assert!(!format!("{error:?}").contains(KEY));
    }
    let server = FakeServer::sending(Vec::new()).await;
    assert!(!format!("{:?}", server.config()).contains(KEY));
}

#[tokio::test]
async fn long_and_foreign_error_bodies_are_bounded() {
    let body = json!({"error": {"message": "x".repeat(100_000)}});
    let error = error_of(json("400 Bad Request", &body)).await;
    assert!(error.message.chars().count() < 600, "{}", error.message.len());
    let error = error_of(answer("502 Bad Gateway", "content-type: text/html\r\n", "<html>bad gateway</html>")).await;
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
    assert!(!error.message.contains("<html>"), "{}", error.message);
    let error = error_of(answer("302 Found", "location: https://example.org/\r\n", "")).await;
    assert_eq!(error.kind, ModelErrorKind::InvalidRequest);
    assert!(error.message.contains("base URL"), "{}", error.message);
}

#[tokio::test]
async fn errors_under_a_status_of_success_are_errors() {
    let body = json!({"error": {"message": "Quota is used up.", "code": "insufficient_quota"}});
    for bytes in [json("200 OK", &body), stream(&format!("data: {body}\n\n")), stream(&format!("event: error\ndata: {body}\n\n"))]
    {
        let error = error_of(bytes).await;
        assert_eq!(error.kind, ModelErrorKind::RateLimited);
        assert!(error.message.contains("Quota is used up. (insufficient_quota)"), "{}", error.message);
    }
    let error = error_of(stream("event: error\ndata: {\"code\":\"InternalError\",\"message\":\"Broken.\"}\n\n")).await;
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
}

#[tokio::test]
async fn an_error_in_the_middle_comes_after_the_pieces_before_it() {
    let events =
        [delta(&json!({"content": "half"}), ""), "data: {\"error\":{\"message\":\"overloaded\"}}\n\n".to_owned()].concat();
    let server = FakeServer::sending(stream(&events)).await;
    let (pieces, outcome) = collect(server.provider().call(simple_request("Hi"))).await;
    assert_eq!(pieces, [ModelDelta::Text("half".to_owned())]);
    assert_eq!(outcome.expect_err("an error").kind, ModelErrorKind::Unavailable);
}

#[tokio::test]
async fn garbage_is_malformed() {
    let cases = [
        answer("200 OK", "content-type: text/html\r\n", "<html>welcome</html>"),
        answer("200 OK", "content-type: application/json\r\n", "not json"),
        answer("200 OK", "content-type: application/json\r\n", ""),
        answer("200 OK", "content-type: text/plain\r\n", "hello"),
        answer("200 OK", "content-type: image/png\r\n", "PNG"),
        answer("200 OK", "content-type: application/json\r\n", r#"{"choices":"none"}"#),
        answer("200 OK", "content-type: application/json\r\n", r#"{"choices":[]}"#),
        stream("data: {\"choices\"\n\n"),
        stream("data: <html>\n\n"),
        stream(DONE),
    ];
    for bytes in cases {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let error = error_of(bytes).await;
        assert_eq!(error.kind, ModelErrorKind::Malformed, "{shown}: {error}");
    }
    let server = FakeServer::sending(json("200 OK", &json!({"hello": 1}))).await;
    let whole = ModelRequest { stream: false, ..simple_request("Hi") };
    let error = collect(server.provider().call(whole)).await.1.expect_err("no answer");
    assert_eq!(error.kind, ModelErrorKind::Malformed);
}

#[tokio::test]
async fn bytes_that_are_not_text_are_malformed() {
    let mut bytes = stream("data: {\"choices\":[{\"delta\":{\"content\":\"");
    bytes.extend_from_slice(b"\xff\xfe\"}}]}\n\n");
    assert_eq!(error_of(bytes).await.kind, ModelErrorKind::Malformed);
}

#[tokio::test]
async fn a_tool_call_without_a_name_is_malformed() {
    let call = json!({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]});
    let error = error_of(stream(&[delta(&call, "tool_calls"), DONE.to_owned()].concat())).await;
    assert_eq!(error.kind, ModelErrorKind::Malformed);
    assert!(error.message.contains("without a name"), "{}", error.message);
}

#[tokio::test]
async fn too_large_an_answer_is_malformed() {
    let event = delta(&json!({"content": "x".repeat(2000)}), "");
    let server = FakeServer::sending(stream(&event.repeat(4))).await;
    let mut config = server.config();
    config.limits.response_bytes = 5000;
    for provider in both(config) {
        let error = collect(provider.call(simple_request("Hi"))).await.1.expect_err("an error");
        assert_eq!(error.kind, ModelErrorKind::Malformed);
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    drop(listener);
    for provider in both(OpenAiConfig::new("ollama", url, "m")) {
        let error = collect(provider.call(simple_request("Hi"))).await.1.expect_err("an error");
        assert_eq!(error.kind, ModelErrorKind::Unavailable);
        assert_eq!(error.message, "ollama cannot be reached: connection refused");
    }
}

#[tokio::test]
async fn a_connection_that_goes_away_unanswered_is_unavailable() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 99\r\n\r\n".to_vec();
    for acts in [vec![Act::Close], vec![Act::Reset], vec![Act::Send(head), Act::Close]] {
        let server = FakeServer::acting(acts.clone()).await;
        for provider in server.providers() {
            let error = collect(provider.call(simple_request("Hi"))).await.1.expect_err("an error");
            assert_eq!(error.kind, ModelErrorKind::Unavailable, "{acts:?}: {error}");
        }
    }
    let error = error_of("not even HTTP\r\n\r\n").await;
    assert_eq!((error.kind, error.message.as_str()), (ModelErrorKind::Malformed, "dashscope does not speak HTTP/1.1"));
}

#[tokio::test]
async fn a_stream_of_nothing_is_interrupted() {
    assert_eq!(error_of(stream("")).await.kind, ModelErrorKind::Interrupted);
    assert_eq!(error_of(stream(": only a comment\n\n")).await.kind, ModelErrorKind::Interrupted);
}

#[tokio::test]
async fn another_providers_model_is_refused_without_a_call() {
    let server = FakeServer::sending(Vec::new()).await;
    let request = ModelRequest { model: Some("anthropic/claude-x".to_owned()), ..simple_request("Hi") };
    let mut answer = server.provider().call(request);
    let first = answer.next().await;
    assert!(matches!(&first, Some(Err(error)) if error.kind == ModelErrorKind::UnknownModel), "{first:?}");
    assert_eq!(server.connections(), 0);
}
