//! OpenTelemetry's conventions for generative AI, as of version 1.41: names and spans.
//!
//! The conventions still carry the status "development"; the version is pinned here. Attributes that sampling may
//! look at (operation, provider, model, server) are set when a span starts; what the answer tells is recorded later.
//! Usage and model stand on `chat` spans only: backends would count totals on agents and workflows twice.
//! Prompts, answers, tool arguments and results are personal data and are never recorded.
//!
//! | span | kind | attributes at start | recorded later |
//! |---|---|---|---|
//! | `invoke_workflow {name}` | internal | operation, workflow name | conversation id, error type |
//! | `invoke_agent {name}` | internal | operation, agent name and id | conversation id, request model, error type |
//! | `chat {model}` | client | operation, provider, request model, stream, temperature, max tokens, server | response id, model, finish reasons, first chunk; usage; error type |
//! | `execute_tool {name}` | internal | operation, tool name, type, call id | error type |

pub mod attributes;
mod spans;

pub use spans::{
    ChatRequest, ChatResponse, TokenUsage, agent_span, chat_span, record_conversation, record_error, record_response,
    record_usage, tool_span, workflow_span,
};
