//! The answer out of events.

use crewd_application::ports::{FinishReason, ModelDelta, ModelResponse, ToolCall};
use crewd_domain::shared::Usage;

use super::calls::{Fragment, ToolCalls};
use super::thought_tags::{Parted, ThoughtTags};
use super::wire::{self, Choice, Chunk, Delta, Tokens};
use crate::llm::tokens::estimate;

/// What an event did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It was taken in, or says nothing.
    Taken,
    /// It is the provider's word for the end.
    Done,
    /// It reports an error.
    Failed,
    /// It is not what the protocol says; the text completes "answered with".
    Garbled(&'static str),
}

/// Why there is no answer at the end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// The end came too early.
    Unfinished,
    /// It is not what the protocol says; the text completes "answered with".
    Garbled(&'static str),
}

/// Puts an answer together.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Pieces for the caller; empty when it does not stream.
    ready: Vec<ModelDelta>,
    streams: bool,
    id: String,
    model: String,
    text: String,
    reasoning: String,
    tags: ThoughtTags,
    calls: ToolCalls,
    finish: Option<FinishReason>,
    tokens: Option<Tokens>,
}

impl Answer {
    pub(super) fn new(streams: bool) -> Self {
        Self { streams, ..Self::default() }
    }

    /// Whether the provider said why it stopped.
    pub(super) const fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// The pieces since the last time.
    pub(super) fn take_ready(&mut self) -> Vec<ModelDelta> {
        std::mem::take(&mut self.ready)
    }

    /// Takes in the data of an event.
    pub(super) fn take_event(&mut self, data: &[u8]) -> Step {
        let data = data.trim_ascii();
        if data.is_empty() {
            return Step::Taken;
        }
        if data.starts_with(b"[DONE]") {
            return Step::Done;
        }
        match self.take_json(data) {
            // What is broken after the end of the text takes nothing away from it.
            Step::Garbled(_) if self.is_finished() => Step::Taken,
            step => step,
        }
    }

    /// Takes in a whole body.
    pub(super) fn take_body(&mut self, body: &[u8]) -> Step {
        let step = self.take_json(body.trim_ascii());
        if step == Step::Taken && self.finish.is_none() && !self.is_blank() {
            // Some servers leave the reason out of whole answers.
            self.finish = Some(FinishReason::Stop);
        }
        step
    }

    fn take_json(&mut self, data: &[u8]) -> Step {
        let Ok(text) = std::str::from_utf8(data) else { return Step::Garbled("bytes that are not UTF-8 text") };
        let Ok(chunk) = serde_json::from_str::<Chunk>(text) else {
            return Step::Garbled("something that is not JSON of its protocol");
        };
        if chunk.is_error() {
            return Step::Failed;
        }
        if !chunk.is_answer() && !self.streams {
            return Step::Garbled("JSON that is not an answer");
        }
        if self.id.is_empty() {
            self.id = wire::text(chunk.id).unwrap_or_default();
        }
        if self.model.is_empty() {
            self.model = wire::text(chunk.model).unwrap_or_default();
        }
        if let Some(tokens) = chunk.usage.and_then(wire::tokens) {
            self.tokens = Some(tokens);
        }
        for choice in chunk.choices.into_iter().flatten() {
            self.take_choice(choice);
        }
        Step::Taken
    }

    fn take_choice(&mut self, choice: Choice<'_>) {
        if choice.index.is_some_and(|index| index != 0) {
            return;
        }
        // A whole message after pieces repeats them.
        let message = choice.message.filter(|_| self.is_blank());
        for delta in choice.delta.into_iter().chain(message) {
            self.take_delta(delta);
        }
        if self.finish.is_none() {
            self.finish = wire::text(choice.finish_reason).filter(|reason| !reason.is_empty()).map(|reason| reason_of(&reason));
        }
    }

    fn take_delta(&mut self, delta: Delta<'_>) {
        let reasoning = wire::text(delta.reasoning_content).or_else(|| wire::text(delta.reasoning));
        if let Some(more) = reasoning.filter(|more| !more.is_empty()) {
            self.reasoning.push_str(&more);
            self.emit_reasoning(more);
        }
        if let Some(more) = wire::text(delta.content).filter(|more| !more.is_empty()) {
            let parted = self.tags.push(&more);
            self.take_parted(parted);
        }
        if let Some(more) = wire::text(delta.refusal).filter(|more| !more.is_empty()) {
            self.take_parted(Parted { thought: String::new(), answer: more });
        }
        for piece in delta.tool_calls.into_iter().flatten() {
            let function = piece.function.as_ref();
            let delta = self.calls.add(Fragment {
                index: piece.index,
                id: wire::text(piece.id).unwrap_or_default(),
                name: function.and_then(|function| wire::text(function.name)).unwrap_or_default(),
                arguments: function.and_then(|function| wire::arguments(function.arguments)).unwrap_or_default(),
            });
            if self.streams {
                self.ready.extend(delta);
            }
        }
    }

    fn take_parted(&mut self, parted: Parted) {
        if !parted.thought.is_empty() {
            self.reasoning.push_str(&parted.thought);
            self.emit_reasoning(parted.thought);
        }
        if !parted.answer.is_empty() {
            self.text.push_str(&parted.answer);
            self.emit_text(parted.answer);
        }
    }

    /// Pieces that came together leave together.
    fn emit_text(&mut self, more: String) {
        match self.ready.last_mut() {
            Some(ModelDelta::Text(text)) => text.push_str(&more),
            _ if self.streams => self.ready.push(ModelDelta::Text(more)),
            _ => {}
        }
    }

    fn emit_reasoning(&mut self, more: String) {
        match self.ready.last_mut() {
            Some(ModelDelta::Reasoning(text)) => text.push_str(&more),
            _ if self.streams => self.ready.push(ModelDelta::Reasoning(more)),
            _ => {}
        }
    }

    const fn is_blank(&self) -> bool {
        self.text.is_empty() && !self.tags.holds() && self.reasoning.is_empty() && self.calls.is_empty()
    }

    /// The whole answer, once. `is_done` says whether the provider said that this is the end; `model` and `input`
    /// stand in for what it did not say.
    pub(super) fn finish(&mut self, is_done: bool, model: &str, input: u64) -> Result<ModelResponse, Lack> {
        let held = self.tags.finish();
        self.take_parted(held);
        let said = match self.finish {
            Some(reason) => reason,
            None if !is_done => return Err(Lack::Unfinished),
            None if self.is_blank() => return Err(Lack::Garbled("nothing")),
            None => FinishReason::Stop,
        };
        let calls = std::mem::take(&mut self.calls).finish();
        let Ok((tool_calls, last)) = calls else { return Err(Lack::Garbled("a tool call without a name")) };
        if self.streams {
            self.ready.extend(last);
        }
        let finish_reason = match said {
            // Vendors disagree on whether calls of tools end with `stop`.
            FinishReason::Stop if !tool_calls.is_empty() => FinishReason::ToolCalls,
            FinishReason::ToolCalls if tool_calls.is_empty() => FinishReason::Stop,
            other => other,
        };
        let counted = self.tokens.unwrap_or_else(|| Tokens {
            input: input.max(1),
            output: written(&self.text, &self.reasoning, &tool_calls).max(1),
            cached: 0,
        });
        let named = std::mem::take(&mut self.model);
        Ok(ModelResponse {
            id: std::mem::take(&mut self.id),
            model: if named.is_empty() { model.to_owned() } else { named },
            text: std::mem::take(&mut self.text),
            reasoning: std::mem::take(&mut self.reasoning),
            tool_calls,
            finish_reason,
            usage: Usage {
                input_tokens: counted.input,
                output_tokens: counted.output,
                cached_input_tokens: counted.cached,
                llm_calls: 1,
                ..Usage::default()
            },
            usage_estimated: self.tokens.is_none(),
            simulated: false,
            cached: false,
        })
    }
}

fn written(text: &str, reasoning: &str, calls: &[ToolCall]) -> u64 {
    let calls: u64 = calls.iter().map(|call| estimate(&call.name) + estimate(&call.arguments)).sum();
    estimate(text) + estimate(reasoning) + calls
}

fn reason_of(reason: &str) -> FinishReason {
    match reason {
        "tool_calls" | "function_call" | "tool_use" => FinishReason::ToolCalls,
        "length" | "max_tokens" | "model_length" => FinishReason::Length,
        "content_filter" | "sensitive" | "safety" => FinishReason::ContentFilter,
        // `stop`, `eos`, `end_turn` and whatever vendors think of.
        _ => FinishReason::Stop,
    }
}
