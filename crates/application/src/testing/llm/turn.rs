//! What a scripted model does on one call.

use crewd_domain::shared::Usage;
use serde_json::Value;

use super::Gate;
use crate::ports::{FinishReason, ModelDelta, ModelError, ModelErrorKind, ModelResponse, ToolCall};

/// How a turn ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// With the whole answer.
    Answer(Box<ModelResponse>),
    /// With an error.
    Failure(ModelError),
    /// Without a word: the stream is over.
    Silence,
    /// Never.
    Hang,
}

/// What happens before the end.
#[derive(Clone, Debug)]
pub(super) enum Item {
    /// A piece; left out when the request does not stream.
    Piece(ModelDelta),
    /// A wait.
    Hold(Gate),
}

/// One answer of a [`ScriptedModel`](super::ScriptedModel).
#[derive(Clone, Debug)]
pub struct ScriptedTurn {
    pub(super) items: Vec<Item>,
    pub(super) ending: Ending,
}

impl ScriptedTurn {
    /// The whole answer; its text, reasoning and tool calls are also streamed in small pieces.
    #[must_use]
    pub fn response(response: ModelResponse) -> Self {
        Self { items: pieces(&response), ending: Ending::Answer(Box::new(response)) }
    }

    /// An answer in text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::response(ModelResponse { text: text.into(), ..blank() })
    }

    /// Calls of tools, `(name, arguments)` each; their ids are `call_0`, `call_1` and so on.
    #[must_use]
    pub fn tool_calls<N: Into<String>>(calls: impl IntoIterator<Item = (N, Value)>) -> Self {
        let tool_calls: Vec<ToolCall> = calls
            .into_iter()
            .enumerate()
            .map(|(index, (name, arguments))| ToolCall {
                id: format!("call_{index}"),
                name: name.into(),
                arguments: arguments.to_string(),
            })
            .collect();
        Self::response(ModelResponse { tool_calls, finish_reason: FinishReason::ToolCalls, ..blank() })
    }

    /// A failure before the first piece.
    #[must_use]
    pub fn error(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self::failure(ModelError::new(kind, message))
    }

    /// A failure before the first piece, with status and so on.
    #[must_use]
    pub fn failure(error: ModelError) -> Self {
        Self { items: Vec::new(), ending: Ending::Failure(error) }
    }

    /// Some text, then a failure.
    #[must_use]
    pub fn text_then_error(text: impl Into<String>, error: ModelError) -> Self {
        Self { items: words(&text.into(), ModelDelta::Text), ending: Ending::Failure(error) }
    }

    /// Some text, then the end of the stream without [`ModelDelta::Finished`].
    #[must_use]
    pub fn cut_off(text: impl Into<String>) -> Self {
        Self { items: words(&text.into(), ModelDelta::Text), ending: Ending::Silence }
    }

    /// Some text (may be empty), then nothing for ever.
    #[must_use]
    pub fn hang(text: impl Into<String>) -> Self {
        Self { items: words(&text.into(), ModelDelta::Text), ending: Ending::Hang }
    }

    /// Counts these tokens for the answer.
    #[must_use]
    pub fn with_usage(mut self, input_tokens: u64, output_tokens: u64) -> Self {
        if let Ending::Answer(response) = &mut self.ending {
            response.usage = Usage { input_tokens, output_tokens, llm_calls: 1, ..Usage::default() };
        }
        self
    }

    /// Ends the answer for this reason.
    #[must_use]
    pub fn with_finish_reason(mut self, reason: FinishReason) -> Self {
        if let Ending::Answer(response) = &mut self.ending {
            response.finish_reason = reason;
        }
        self
    }

    /// Waits at the gate before the first piece.
    #[must_use]
    pub fn held_at_start(mut self, gate: &Gate) -> Self {
        self.items.insert(0, Item::Hold(gate.clone()));
        self
    }

    /// Waits at the gate after all pieces and before the end.
    #[must_use]
    pub fn held_at_end(mut self, gate: &Gate) -> Self {
        self.items.push(Item::Hold(gate.clone()));
        self
    }
}

fn blank() -> ModelResponse {
    ModelResponse {
        id: "scripted".to_owned(),
        model: "scripted".to_owned(),
        text: String::new(),
        reasoning: String::new(),
        tool_calls: Vec::new(),
        finish_reason: FinishReason::Stop,
        usage: Usage { input_tokens: 10, output_tokens: 5, llm_calls: 1, ..Usage::default() },
        usage_estimated: false,
        simulated: false,
        cached: false,
    }
}

fn pieces(response: &ModelResponse) -> Vec<Item> {
    let mut items = words(&response.reasoning, ModelDelta::Reasoning);
    items.extend(words(&response.text, ModelDelta::Text));
    for (index, call) in response.tool_calls.iter().enumerate() {
        let head = ModelDelta::ToolCall { index, id: call.id.clone(), name: call.name.clone(), arguments: String::new() };
        items.push(Item::Piece(head));
        items.extend(words(&call.arguments, |arguments| ModelDelta::ToolCall {
            index,
            id: String::new(),
            name: String::new(),
            arguments,
        }));
    }
    items
}

fn words(text: &str, piece: impl Fn(String) -> ModelDelta) -> Vec<Item> {
    text.split_inclusive(' ').map(|word| Item::Piece(piece(word.to_owned()))).collect()
}
