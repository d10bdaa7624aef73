//! Any provider that speaks OpenAI's chat completions, streamed or whole.
//!
//! | module | what is in it |
//! |---|---|
//! | `config` | where the provider is, and the dialect it speaks |
//! | `names` | which provider a model's name means |
//! | `provider` | the port: one call from request to stream |
//! | `request` | the request as JSON, written from borrowed parts |
//! | `sse` | events out of bytes |
//! | `wire` | what an event says |
//! | `calls` | tool calls out of fragments |
//! | `answer` | the answer out of events |
//! | `thought_tags` | thinking out of texts |
//! | `exchange` | the answer out of an HTTP response |
//! | `faults` | errors out of statuses and bodies |
//! | `retry_after` | when to ask again |
//! | `redact` | texts of a provider without keys |

mod answer;
mod calls;
mod config;
mod exchange;
mod faults;
mod names;
mod provider;
mod redact;
mod request;
mod retry_after;
mod sse;
#[cfg(test)]
mod tests;
mod thought_tags;
mod wire;

pub use config::{Dialect, OpenAiConfig, OpenAiConfigError, ResponseFormatMode, TokenLimitField};
pub use provider::OpenAiProvider;
