//! The promises of [`LanguageModel`], checked on the fake and on every adapter.
#![expect(clippy::panic, reason = "a contract suite reports by panicking, in tests alone")]

use std::sync::Arc;
use std::time::Duration;

use crewd_domain::tools::{EffectClass, RiskLevel, ToolDescriptor};
use futures::StreamExt;
use serde_json::json;

use crate::ports::{
    CallLabels, LanguageModel, Message, ModelDelta, ModelError, ModelRequest, ModelResponse, ModelStream, Role, Sampling,
    ToolChoice,
};

/// A streamed request with one user message, no tools and ten seconds.
#[must_use]
pub fn simple_request(text: &str) -> ModelRequest {
    ModelRequest {
        model: None,
        messages: vec![Message::text(Role::User, text)],
        tools: Arc::from([]),
        tool_choice: ToolChoice::Auto,
        response_format: None,
        sampling: Sampling::default(),
        stream: true,
        time_limit: Duration::from_secs(10),
        idempotency_key: "suite".to_owned(),
        labels: Arc::new(CallLabels::default()),
    }
}

/// A tool with one required string, for requests that offer tools.
#[must_use]
pub fn weather_tool() -> ToolDescriptor {
    ToolDescriptor {
        name: "weather".to_owned(),
        description: "Tells the weather of a city.".to_owned(),
        parameters: json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
        risk: RiskLevel::Low,
        effect: EffectClass::ReadOnly,
        reconciles: false,
    }
}

/// Reads a stream to its end: the pieces before the end, and the answer or the error.
///
/// # Panics
/// When the stream goes on after its end, or is over without one.
pub async fn collect(mut stream: ModelStream) -> (Vec<ModelDelta>, Result<ModelResponse, ModelError>) {
    let mut pieces = Vec::new();
    let outcome = loop {
        match stream.next().await {
            Some(Ok(ModelDelta::Finished(response))) => break Ok(*response),
            Some(Ok(piece)) => pieces.push(piece),
            Some(Err(error)) => break Err(error),
            None => panic!("the stream is over without an answer or an error; pieces: {pieces:?}"),
        }
    };
    assert!(stream.next().await.is_none(), "nothing may follow the end of a stream");
    (pieces, outcome)
}

/// Checks the promises of the port. The model must answer a request without tools in text, and one that offers
/// [`weather_tool`] with at least one call of it. `started` tells how many calls have reached the model so far.
///
/// # Panics
/// When a promise is broken.
pub async fn run_suite(model: &dyn LanguageModel, started: impl Fn() -> usize) {
    names_its_models(model);
    does_nothing_before_the_first_poll(model, &started).await;
    streams_what_it_answers(model).await;
    streams_tool_calls(model).await;
    answers_without_streaming(model).await;
    can_be_dropped_midway(model).await;
}

fn names_its_models(model: &dyn LanguageModel) {
    assert!(!model.default_model().is_empty(), "a default model has a name");
    let models = model.models();
    assert!(models.iter().any(|name| name == model.default_model()), "the default model can be named: {models:?}");
}

async fn does_nothing_before_the_first_poll(model: &dyn LanguageModel, started: &impl Fn() -> usize) {
    let before = started();
    let stream = model.call(simple_request("Say hello."));
    tokio::task::yield_now().await;
    assert_eq!(started(), before, "a call that was not polled has reached the model");
    drop(stream);
    assert_eq!(started(), before, "a call that was never polled has reached the model");
}

async fn streams_what_it_answers(model: &dyn LanguageModel) {
    let (pieces, outcome) = collect(model.call(simple_request("Say hello."))).await;
    let response = answered(outcome);
    assert!(!response.text.is_empty(), "a request without tools is answered in text");
    assert!(!pieces.is_empty(), "a streamed answer comes in pieces");
    check_pieces(&pieces, &response);
    check_answer(model, &response);
}

async fn streams_tool_calls(model: &dyn LanguageModel) {
    let request = ModelRequest { tools: Arc::from([weather_tool()]), ..simple_request("What is the weather in Oslo?") };
    let (pieces, outcome) = collect(model.call(request)).await;
    let response = answered(outcome);
    assert!(!response.tool_calls.is_empty(), "the offered tool is called");
    for call in &response.tool_calls {
        assert!(!call.id.is_empty() && call.name == "weather", "calls have an id and the tool's name: {call:?}");
        let arguments = serde_json::from_str::<serde_json::Value>(&call.arguments);
        assert!(arguments.is_ok_and(|value| value.is_object()), "arguments are a JSON object: {}", call.arguments);
    }
    check_pieces(&pieces, &response);
    check_answer(model, &response);
}

async fn answers_without_streaming(model: &dyn LanguageModel) {
    let request = ModelRequest { stream: false, ..simple_request("Say hello.") };
    let (pieces, outcome) = collect(model.call(request)).await;
    let response = answered(outcome);
    assert!(!response.text.is_empty());
    if !pieces.is_empty() {
        check_pieces(&pieces, &response);
    }
    check_answer(model, &response);
}

async fn can_be_dropped_midway(model: &dyn LanguageModel) {
    let mut stream = model.call(simple_request("Say hello."));
    let first = stream.next().await;
    assert!(matches!(first, Some(Ok(_))), "a stream begins with a piece: {first:?}");
    drop(stream);
    let (_, outcome) = collect(model.call(simple_request("Say hello."))).await;
    answered(outcome);
}

fn answered(outcome: Result<ModelResponse, ModelError>) -> ModelResponse {
    match outcome {
        Ok(response) => response,
        Err(error) => panic!("the model failed: {error} ({:?})", error.kind),
    }
}

/// The pieces say what the answer says.
fn check_pieces(pieces: &[ModelDelta], response: &ModelResponse) {
    let (mut text, mut reasoning) = (String::new(), String::new());
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for piece in pieces {
        match piece {
            ModelDelta::Text(more) => text.push_str(more),
            ModelDelta::Reasoning(more) => reasoning.push_str(more),
            ModelDelta::ToolCall { index, id, name, arguments } => {
                assert!(*index <= calls.len(), "indexes of calls have no gaps");
                if *index == calls.len() {
                    assert!(!id.is_empty() && !name.is_empty(), "id and name come with the first piece of a call");
                    calls.push((id.clone(), name.clone(), String::new()));
                } else {
                    assert!(id.is_empty() && name.is_empty(), "id and name come with the first piece only");
                }
                if let Some(call) = calls.get_mut(*index) {
                    call.2.push_str(arguments);
                }
            }
            ModelDelta::Finished(_) => panic!("`Finished` is the last item"),
        }
    }
    assert_eq!(text, response.text, "the pieces of text are the text");
    assert_eq!(reasoning, response.reasoning, "the pieces of reasoning are the reasoning");
    let whole: Vec<_> =
        response.tool_calls.iter().map(|call| (call.id.clone(), call.name.clone(), call.arguments.clone())).collect();
    assert_eq!(calls, whole, "the pieces of calls are the calls");
}

fn check_answer(model: &dyn LanguageModel, response: &ModelResponse) {
    assert_eq!(response.usage.llm_calls, 1, "an answer counts as one call");
    assert!(response.usage.input_tokens > 0 && response.usage.output_tokens > 0, "tokens are counted: {:?}", response.usage);
    assert!(!response.model.is_empty(), "an answer names its model");
    assert_eq!(response.simulated, model.is_simulated(), "the answer and the model agree on being simulated");
}
