//! Where the provider is, and the dialect it speaks.

use secrecy::SecretString;
use thiserror::Error;

use crate::http::HttpLimits;

/// What one installation says about its provider.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// `dashscope`, `openai`, `deepseek`, `ollama` …, or `openai_compatible` for anything else.
    pub provider_name: String,
    /// The address before `/chat/completions`, for example `https://dashscope.aliyuncs.com/compatible-mode/v1`.
    pub base_url: String,
    /// Sent as a bearer token; a local server may need none.
    pub api_key: Option<SecretString>,
    /// The model of requests that name none; a prefix of this provider is taken off.
    pub model: String,
    /// How this provider differs from others.
    pub dialect: Dialect,
    /// Time-outs and sizes.
    pub limits: HttpLimits,
}

impl OpenAiConfig {
    /// The provider with its usual dialect and limits, without a key.
    #[must_use]
    pub fn new(provider_name: impl Into<String>, base_url: impl Into<String>, model: impl Into<String>) -> Self {
        let provider_name = provider_name.into();
        Self {
            dialect: Dialect::of(&provider_name),
            provider_name,
            base_url: base_url.into(),
            api_key: None,
            model: model.into(),
            limits: HttpLimits::default(),
        }
    }
}

/// How to ask for an answer of a certain shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFormatMode {
    /// The provider checks the JSON Schema itself.
    JsonSchema,
    /// The provider promises JSON; the schema goes into the instructions.
    JsonObject,
    /// The provider knows neither; the schema goes into the instructions.
    Instructions,
}

/// Where the limit of the answer's tokens is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLimitField {
    /// `max_tokens`, which all but OpenAI's newer models know.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// What providers of the same protocol do differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// How to ask for an answer of a certain shape.
    pub response_format: ResponseFormatMode,
    /// Where the limit of the answer's tokens is written.
    pub token_limit: TokenLimitField,
    /// What to say about several tool calls in one turn; `None` says nothing.
    pub parallel_tool_calls: Option<bool>,
    /// Whether streams are asked for their usage; some old servers refuse the question.
    pub stream_usage: bool,
}

impl Dialect {
    /// The dialect of a known provider; others get the plainest one.
    #[must_use]
    pub fn of(provider_name: &str) -> Self {
        let plain = Self {
            response_format: ResponseFormatMode::JsonSchema,
            token_limit: TokenLimitField::MaxTokens,
            parallel_tool_calls: None,
            stream_usage: true,
        };
        match provider_name {
            // It calls one tool a turn unless it is asked for more.
            "dashscope" => Self { response_format: ResponseFormatMode::JsonObject, parallel_tool_calls: Some(true), ..plain },
            "deepseek" => Self { response_format: ResponseFormatMode::JsonObject, ..plain },
            "openai" => Self { token_limit: TokenLimitField::MaxCompletionTokens, ..plain },
            _ => plain,
        }
    }
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenAiConfigError {
    /// The base URL is none, or not of HTTP.
    #[error("the base URL of the model provider is not an http or https address: {0}")]
    BaseUrl(String),
    /// The key has characters that a header cannot carry.
    #[error("the API key of the model provider has line breaks or other control characters")]
    ApiKey,
    /// There is no model, or one of another provider.
    #[error("the model of the installation cannot be used: {0}")]
    Model(String),
}
