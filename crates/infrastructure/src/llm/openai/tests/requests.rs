use std::sync::Arc;

use crewd_application::ports::{LanguageModel, Message, ModelRequest, ResponseFormat, Role, Sampling, ToolCall, ToolChoice};
use crewd_application::testing::llm::{collect, simple_request, weather_tool};
use serde_json::{Value, json};

use super::server::{FakeServer, KEY, Received, json as answer};
use crate::llm::openai::{OpenAiConfig, OpenAiConfigError, OpenAiProvider};

/// What a provider of this name is sent.
async fn sent(provider_name: &str, request: ModelRequest) -> Received {
    let body = json!({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]});
    let server = FakeServer::sending(answer("200 OK", &body)).await;
    let config = server.config();
    let config =
        OpenAiConfig { api_key: config.api_key, ..OpenAiConfig::new(provider_name, format!("{}/", config.base_url), "m") };
    let provider = OpenAiProvider::new(config).expect("a good configuration");
    collect(provider.call(request)).await.1.expect("an answer");
    server.received().remove(0)
}

#[tokio::test]
async fn a_plain_request_says_no_more_than_it_must() {
    let received = sent("dashscope", simple_request("Hi")).await;
    let expected = json!({
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": true,
        "stream_options": {"include_usage": true},
    });
    assert_eq!(received.body, expected);
    assert!(received.head.starts_with("post /v1/chat/completions http/1.1"), "{}", received.head);
    let version = env!("CARGO_PKG_VERSION");
    for header in [
        &format!("authorization: bearer {KEY}"),
        "content-type: application/json",
        "idempotency-key: suite",
        &format!("user-agent: crewd/{version}"),
        "content-length: ",
    ] {
        assert!(received.head.contains(header), "{} lacks {header}", received.head);
    }
}

#[tokio::test]
async fn a_conversation_with_tools_is_sent_whole() {
    let calls = vec![
        ToolCall { id: "a".to_owned(), name: "weather".to_owned(), arguments: "{\"city\":\"Oslo\"}".to_owned() },
        ToolCall { id: "b".to_owned(), name: "weather".to_owned(), arguments: "{oops".to_owned() },
    ];
    let request = ModelRequest {
        messages: vec![
            Message::text(Role::System, "You are kind."),
            Message::text(Role::User, "How is the weather?"),
            Message { tool_calls: calls, ..Message::text(Role::Assistant, "") },
            Message::tool_result("a", "Rain."),
            Message::tool_result("b", "Arguments are not JSON."),
        ],
        tools: Arc::from([weather_tool()]),
        stream: false,
        ..simple_request("")
    };
    let body = sent("dashscope", request.clone()).await.body;
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let expected = json!([
        {"role": "system", "content": "You are kind."},
        {"role": "user", "content": "How is the weather?"},
        {"role": "assistant", "content": "",
         "tool_calls": [call("a", "{\"city\":\"Oslo\"}"), call("b", "{\"invalid_json\":\"{oops\"}")]},
        {"role": "tool", "content": "Rain.", "tool_call_id": "a"},
        {"role": "tool", "content": "Arguments are not JSON.", "tool_call_id": "b"},
    ]);
    assert_eq!(body["messages"], expected);
    let tool = weather_tool();
    let function = json!({"name": "weather", "description": tool.description, "parameters": tool.parameters});
    assert_eq!(body["tools"], json!([{"type": "function", "function": function}]));
    assert_eq!((&body["parallel_tool_calls"], &body["stream"]), (&json!(true), &json!(false)));
    assert!(body.get("tool_choice").is_none() && body.get("stream_options").is_none());

    let body = sent("dashscope", ModelRequest { tool_choice: ToolChoice::None, ..request }).await.body;
    assert_eq!(body["tool_choice"], "none");
    assert!(body["tools"].is_array());
}

#[tokio::test]
async fn sampling_is_sent_as_it_is_set() {
    let sampling = Sampling {
        temperature: Some(0.2),
        top_p: Some(0.9),
        max_tokens: Some(100),
        stop: vec!["Observation:".to_owned()],
        seed: Some(7),
    };
    let request = ModelRequest { sampling, ..simple_request("Hi") };
    let body = sent("dashscope", request.clone()).await.body;
    assert_eq!((&body["temperature"], &body["top_p"], &body["seed"]), (&json!(0.2), &json!(0.9), &json!(7)));
    assert_eq!((&body["max_tokens"], &body["stop"]), (&json!(100), &json!(["Observation:"])));
    let body = sent("openai", request).await.body;
    assert_eq!((&body["max_completion_tokens"], body.get("max_tokens")), (&json!(100), None::<&Value>));
}

#[tokio::test]
async fn a_shape_is_asked_for_in_the_providers_way() {
    let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}});
    let format = ResponseFormat { name: "my answer".to_owned(), schema: schema.clone() };
    let request = ModelRequest { response_format: Some(format), ..simple_request("Hi") };
    let body = sent("openai", request.clone()).await.body;
    let expected = json!({"type": "json_schema", "json_schema": {"name": "my_answer", "schema": schema}});
    assert_eq!(body["response_format"], expected);
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(1));

    let body = sent("dashscope", request.clone()).await.body;
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
    let instructions = body["messages"][0]["content"].as_str().expect("a text");
    assert!(instructions.contains("JSON") && instructions.contains(&schema.to_string()), "{instructions}");

    let with_system = vec![Message::text(Role::System, "Be kind."), Message::text(Role::User, "Hi")];
    let body = sent("dashscope", ModelRequest { messages: with_system, ..request }).await.body;
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(2), "there is one system message");
    assert!(body["messages"][0]["content"].as_str().is_some_and(|text| text.starts_with("Be kind.\n\nAnswer with")));
}

#[tokio::test]
async fn the_model_is_named_as_the_provider_knows_it() {
    let request = ModelRequest { model: Some("dashscope/qwen-max".to_owned()), ..simple_request("Hi") };
    assert_eq!(sent("dashscope", request).await.body["model"], "qwen-max");
}

#[test]
fn configurations_that_cannot_work_are_refused() {
    let error = |url: &str, key: Option<&str>, model: &str| {
        let config = OpenAiConfig { api_key: key.map(Into::into), ..OpenAiConfig::new("openai", url, model) };
        OpenAiProvider::new(config).err()
    };
    assert_eq!(error("https://example.org/v1", Some("key"), "m"), None);
    for url in ["", "example.org", "ftp://example.org", "https://user:word@example.org/v1", "https://example.org/v1?x=1"] {
        assert_eq!(error(url, None, "m"), Some(OpenAiConfigError::BaseUrl(url.to_owned())), "{url}");
    }
    assert_eq!(error("https://example.org/v1", Some("a\nb"), "m"), Some(OpenAiConfigError::ApiKey));
    assert!(matches!(error("https://example.org/v1", None, ""), Some(OpenAiConfigError::Model(_))));
    assert!(matches!(error("https://example.org/v1", None, "claude/x"), Some(OpenAiConfigError::Model(_))));
}

#[test]
fn a_provider_tells_where_it_is() {
    let config = OpenAiConfig::new("openai", "https://example.org/v1/chat/completions", "openai/gpt-x");
    let provider = OpenAiProvider::new(config).expect("a good configuration");
    assert_eq!((provider.name(), provider.server()), ("openai", ("example.org", 443)));
    assert_eq!((provider.default_model(), provider.models()), ("gpt-x", vec!["gpt-x".to_owned()]));
}
