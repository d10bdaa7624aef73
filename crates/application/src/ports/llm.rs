//! Calls of language models.

use std::sync::Arc;
use std::time::Duration;

use crewd_domain::shared::{TenantId, Usage};
use crewd_domain::tools::ToolDescriptor;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The instructions.
    System,
    /// The task.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
}

/// A call of a tool that a model asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's id of the call; its result names it.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON text, not checked.
    pub arguments: String,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said; may be empty next to tool calls.
    pub content: String,
    /// Of an assistant: the calls it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool: the call it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl Message {
    /// A message without tool calls.
    #[must_use]
    pub fn text(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: Vec::new(), tool_call_id: None }
    }

    /// The result of a tool call.
    #[must_use]
    pub fn tool_result(call_id: impl Into<String>, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call_id.into()), ..Self::text(Role::Tool, content) }
    }
}

/// Whether the model may call tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// It decides.
    #[default]
    Auto,
    /// It must answer in text.
    None,
}

/// The shape of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseFormat {
    /// A name for the provider.
    pub name: String,
    /// JSON Schema of the answer.
    pub schema: Value,
}

/// How the model draws its words; `None` leaves it to the provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sampling {
    /// 0 to 2.
    pub temperature: Option<f64>,
    /// 0 to 1.
    pub top_p: Option<f64>,
    /// Tokens of the answer at most.
    pub max_tokens: Option<u32>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// For repeatable answers.
    pub seed: Option<i64>,
}

/// On whose behalf a model is called: labels of metrics and spans, whose answers may be given again, and what the
/// offline model writes about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallLabels {
    /// Whose task it is.
    pub tenant: Option<TenantId>,
    /// The agent's name in the crew.
    pub agent: String,
    /// The rendered description of the crew task.
    pub task_description: String,
    /// The rendered expected output of the crew task.
    pub expected_output: String,
}

/// A call of a model.
#[derive(Clone, Debug)]
pub struct ModelRequest {
    /// The model as the definition names it, `provider/model` or bare; `None` takes the installation's default.
    pub model: Option<String>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools on offer; empty for none.
    pub tools: Arc<[ToolDescriptor]>,
    /// Whether it may call them.
    pub tool_choice: ToolChoice,
    /// The shape of the answer, if it matters.
    pub response_format: Option<ResponseFormat>,
    /// How it draws its words.
    pub sampling: Sampling,
    /// Whether to ask for pieces as they come.
    pub stream: bool,
    /// The time until the end of the call.
    pub time_limit: Duration,
    /// The same for every attempt of the step.
    pub idempotency_key: String,
    /// On whose behalf.
    pub labels: Arc<CallLabels>,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It was done.
    Stop,
    /// It wants tools called.
    ToolCalls,
    /// The limit of tokens.
    Length,
    /// The provider's filter.
    ContentFilter,
}

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelResponse {
    /// The provider's id of the answer; may be empty.
    pub id: String,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// The text; may be empty next to tool calls.
    pub text: String,
    /// What the model thought aloud, if the provider tells. Never sent back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reasoning: String,
    /// The calls it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub finish_reason: FinishReason,
    /// Tokens; `llm_calls` is 1. All 0 where `cached`: nothing was spent.
    pub usage: Usage,
    /// Whether the tokens were counted here because the provider did not say.
    #[serde(default)]
    pub usage_estimated: bool,
    /// Whether the offline model answered.
    #[serde(default)]
    pub simulated: bool,
    /// Whether no model was called: the answer is an earlier one to the same question.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelDelta {
    /// More text.
    Text(String),
    /// More thinking.
    Reasoning(String),
    /// More of a tool call; `id` and `name` come with its first piece and are empty later.
    ToolCall {
        /// Which call of the turn, from 0.
        index: usize,
        /// The model's id of the call.
        id: String,
        /// The tool.
        name: String,
        /// More JSON text.
        arguments: String,
    },
    /// The whole answer; the last item of a stream that does not fail.
    Finished(Box<ModelResponse>),
}

/// What went wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelErrorKind {
    /// The provider does not accept the key.
    Unauthorized,
    /// Too many calls for the provider.
    RateLimited,
    /// The conversation is longer than the model can read.
    ContextLength,
    /// The provider does not accept the request.
    InvalidRequest,
    /// There is no such model or provider.
    UnknownModel,
    /// The provider's filter.
    ContentFilter,
    /// The provider is down or cannot be reached.
    Unavailable,
    /// It took longer than allowed.
    Timeout,
    /// The answer is not what the protocol says.
    Malformed,
    /// The stream ended before the answer was whole.
    Interrupted,
}

impl ModelErrorKind {
    /// A stable name for events, metrics and `error.details`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::RateLimited => "rate_limited",
            Self::ContextLength => "context_length",
            Self::InvalidRequest => "invalid_request",
            Self::UnknownModel => "unknown_model",
            Self::ContentFilter => "content_filter",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A call that gave no whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ModelError {
    /// What went wrong.
    pub kind: ModelErrorKind,
    /// For people: what the provider said, without keys.
    pub message: String,
    /// The provider's HTTP status, if it gave one.
    pub status: Option<u16>,
    /// When the provider wants to be asked again.
    pub retry_after: Option<Duration>,
}

impl ModelError {
    /// An error without status.
    #[must_use]
    pub fn new(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, retry_after: None }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            ModelErrorKind::RateLimited
                | ModelErrorKind::Unavailable
                | ModelErrorKind::Timeout
                | ModelErrorKind::Malformed
                | ModelErrorKind::Interrupted
        )
    }
}

/// Pieces of an answer, ending with [`ModelDelta::Finished`] or an error. Dropping it closes the connection.
pub type ModelStream = BoxStream<'static, Result<ModelDelta, ModelError>>;

/// A language model, or a router of many.
pub trait LanguageModel: Send + Sync {
    /// The model that a request without one gets.
    fn default_model(&self) -> &str;

    /// Whether answers are simulated (the offline model).
    fn is_simulated(&self) -> bool;

    /// The models that can be named, for `GET /models`.
    fn models(&self) -> Vec<String>;

    /// Calls the model. Nothing happens before the stream is polled. With `stream: false` there may be no deltas
    /// before [`ModelDelta::Finished`]. A stream that ends in any other way has failed.
    fn call(&self, request: ModelRequest) -> ModelStream;
}
