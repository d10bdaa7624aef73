//! Spans with all their fields declared; those not known at the start are recorded by the functions below.

use std::time::Duration;

use tracing::field::Empty;
use tracing::{Span, info_span};

use super::attributes as names;

/// A run of a crew or flow.
pub fn workflow_span(name: &str) -> Span {
    info_span!(
        "invoke_workflow",
        otel.name = format!("{} {name}", names::OPERATION_INVOKE_WORKFLOW),
        gen_ai.operation.name = names::OPERATION_INVOKE_WORKFLOW,
        gen_ai.workflow.name = name,
        gen_ai.conversation.id = Empty,
        "error.type" = Empty,
    )
}

/// An agent's work on one crew task.
pub fn agent_span(name: &str, id: &str) -> Span {
    info_span!(
        "invoke_agent",
        otel.name = format!("{} {name}", names::OPERATION_INVOKE_AGENT),
        gen_ai.operation.name = names::OPERATION_INVOKE_AGENT,
        gen_ai.agent.name = name,
        gen_ai.agent.id = id,
        gen_ai.conversation.id = Empty,
        gen_ai.request.model = Empty,
        "error.type" = Empty,
    )
}

/// What is known of a model call before it is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChatRequest<'a> {
    /// The model that is asked.
    pub model: &'a str,
    /// Whose model: `openai`, `deepseek`, `dashscope`, …
    pub provider: &'a str,
    /// Whether the answer is asked for in pieces.
    pub stream: bool,
    /// Sampling temperature, where one is set.
    pub temperature: Option<f64>,
    /// The most tokens the answer may have, where that is set.
    pub max_tokens: Option<u64>,
    /// Host of the endpoint; the offline model has none.
    pub server_address: Option<&'a str>,
    /// Port of the endpoint.
    pub server_port: Option<u16>,
}

/// One call of a model, its retries included.
pub fn chat_span(request: &ChatRequest<'_>) -> Span {
    info_span!(
        "chat",
        otel.name = format!("{} {}", names::OPERATION_CHAT, request.model),
        otel.kind = "client",
        gen_ai.operation.name = names::OPERATION_CHAT,
        gen_ai.provider.name = request.provider,
        gen_ai.request.model = request.model,
        gen_ai.request.stream = request.stream,
        gen_ai.request.temperature = request.temperature,
        gen_ai.request.max_tokens = request.max_tokens,
        server.address = request.server_address,
        server.port = request.server_port,
        gen_ai.conversation.id = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.model = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.response.time_to_first_chunk = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.reasoning.output_tokens = Empty,
        "error.type" = Empty,
    )
}

/// One execution of a tool.
pub fn tool_span(name: &str, call_id: &str) -> Span {
    info_span!(
        "execute_tool",
        otel.name = format!("{} {name}", names::OPERATION_EXECUTE_TOOL),
        gen_ai.operation.name = names::OPERATION_EXECUTE_TOOL,
        gen_ai.tool.name = name,
        gen_ai.tool.call.id = call_id,
        "gen_ai.tool.type" = "function",
        gen_ai.conversation.id = Empty,
        "error.type" = Empty,
    )
}

/// Tokens of one model call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenUsage {
    /// Tokens that went in, cached ones included.
    pub input: u64,
    /// Tokens that came out, reasoning included.
    pub output: u64,
    /// Part of the input that the provider's cache had.
    pub cached_input: Option<u64>,
    /// Part of the output that was reasoning.
    pub reasoning_output: Option<u64>,
}

/// Notes on a `chat` span what the call used.
pub fn record_usage(span: &Span, usage: &TokenUsage) {
    span.record(names::USAGE_INPUT_TOKENS, usage.input);
    span.record(names::USAGE_OUTPUT_TOKENS, usage.output);
    if let Some(cached) = usage.cached_input {
        span.record(names::USAGE_CACHE_READ_INPUT_TOKENS, cached);
    }
    if let Some(reasoning) = usage.reasoning_output {
        span.record(names::USAGE_REASONING_OUTPUT_TOKENS, reasoning);
    }
}

/// What an answer tells about itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChatResponse<'a> {
    /// The provider's id of the answer.
    pub id: Option<&'a str>,
    /// The model that answered.
    pub model: Option<&'a str>,
    /// Why the answer ended.
    pub finish_reason: Option<&'a str>,
    /// How long the first piece of a streamed answer took.
    pub time_to_first_chunk: Option<Duration>,
}

/// Notes on a `chat` span what the answer tells about itself.
pub fn record_response(span: &Span, response: &ChatResponse<'_>) {
    if let Some(id) = response.id {
        span.record(names::RESPONSE_ID, id);
    }
    if let Some(model) = response.model {
        span.record(names::RESPONSE_MODEL, model);
    }
    if let Some(reason) = response.finish_reason {
        span.record(names::RESPONSE_FINISH_REASONS, reason);
    }
    if let Some(time) = response.time_to_first_chunk {
        span.record(names::RESPONSE_TIME_TO_FIRST_CHUNK, time.as_secs_f64());
    }
}

/// Notes on any of these spans that it failed; `kind` is a short, stable word such as `rate_limited`.
pub fn record_error(span: &Span, kind: &str) {
    span.record(names::ERROR_TYPE, kind);
}

/// Notes on any of these spans which conversation it belongs to.
pub fn record_conversation(span: &Span, id: &str) {
    span.record(names::CONVERSATION_ID, id);
}
