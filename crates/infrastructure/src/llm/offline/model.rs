//! The port: pieces at a human pace.

use std::time::Duration;

use async_stream::stream;
use crewd_application::ports::{
    FinishReason, LanguageModel, ModelDelta, ModelError, ModelErrorKind, ModelRequest, ModelResponse, ModelStream, ToolCall,
};
use crewd_domain::shared::Usage;
use tokio::time::{Instant, sleep};

use super::pieces::pieces;
use super::turn::{self, Turn};
use crate::llm::tokens::estimate;

const NAME: &str = "offline";
/// Tokens that frame each message, about.
const MESSAGE_FRAME: u64 = 4;

/// A model without a network: deterministic, and it says that it simulates.
#[derive(Clone, Copy, Debug)]
pub struct OfflineModel {
    pace: Duration,
}

impl OfflineModel {
    /// A model that waits `pace` before each piece of a streamed answer. Zero waits for nothing and uses no timer.
    #[must_use]
    pub const fn new(pace: Duration) -> Self {
        Self { pace }
    }
}

impl LanguageModel for OfflineModel {
    fn default_model(&self) -> &str {
        NAME
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn models(&self) -> Vec<String> {
        vec![NAME.to_owned()]
    }

    fn call(&self, request: ModelRequest) -> ModelStream {
        let pace = self.pace;
        Box::pin(stream! {
            let response = respond(&request);
            let ModelRequest { stream: streams, time_limit, .. } = request;
            if streams {
                let deadline = (!pace.is_zero()).then(|| Instant::now().checked_add(time_limit)).flatten();
                for delta in deltas(&response) {
                    if !pace.is_zero() {
                        sleep(pace).await;
                    }
                    if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                        yield Err(too_slow());
                        return;
                    }
                    yield Ok(delta);
                }
            }
            yield Ok(ModelDelta::Finished(Box::new(response)));
        })
    }
}

fn too_slow() -> ModelError {
    ModelError::new(ModelErrorKind::Timeout, "the offline model did not finish in the time allowed at its pace")
}

fn respond(request: &ModelRequest) -> ModelResponse {
    let (text, tool_calls, finish_reason) = match turn::next(request) {
        Turn::Text(text) => (text, Vec::new(), FinishReason::Stop),
        Turn::Calls(calls) => (String::new(), calls, FinishReason::ToolCalls),
    };
    let read =
        request.messages.iter().map(|message| MESSAGE_FRAME + estimate(&message.content) + calls_tokens(&message.tool_calls));
    let input_tokens = read.sum();
    let output_tokens = (estimate(&text) + calls_tokens(&tool_calls)).max(1);
    ModelResponse {
        id: String::new(),
        model: NAME.to_owned(),
        text,
        reasoning: String::new(),
        tool_calls,
        finish_reason,
        usage: Usage { input_tokens, output_tokens, llm_calls: 1, ..Usage::default() },
        usage_estimated: true,
        simulated: true,
        cached: false,
    }
}

fn calls_tokens(calls: &[ToolCall]) -> u64 {
    calls.iter().map(|call| estimate(&call.name) + estimate(&call.arguments)).sum()
}

fn deltas(response: &ModelResponse) -> Vec<ModelDelta> {
    let text = pieces(&response.text).map(|piece| ModelDelta::Text(piece.to_owned()));
    let calls = response.tool_calls.iter().enumerate().map(|(index, call)| {
        let ToolCall { id, name, arguments } = call.clone();
        ModelDelta::ToolCall { index, id, name, arguments }
    });
    text.chain(calls).collect()
}
