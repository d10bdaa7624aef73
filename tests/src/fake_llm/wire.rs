//! Turns as bytes: one JSON object, or chunks of a stream.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::request::{ChatRequest, arguments_for};
use super::turn::{Arguments, Call, Gate, Piece, Turn};

/// One step of writing an answer.
#[derive(Clone, Debug)]
pub(super) enum WireStep {
    Send(Bytes),
    Pause(Duration),
    Hold(Gate),
    /// Sends the same bytes for ever.
    Endless(Bytes),
    /// Breaks the connection off.
    Abort,
}

/// An answer as it goes over the socket.
#[derive(Clone, Debug)]
pub(super) struct WireAnswer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    /// What happens before the headers: pauses and holds only.
    pub(super) before: Vec<WireStep>,
    pub(super) steps: Vec<WireStep>,
}

impl WireAnswer {
    /// A whole answer with a body of this content type.
    pub(super) fn whole(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            before: Vec::new(),
            steps: vec![WireStep::Send(body.into())],
        }
    }

    /// A stream of events.
    pub(super) fn stream(steps: Vec<WireStep>) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/event-stream".to_owned())], before: Vec::new(), steps }
    }
}

/// One `data:` line of a stream.
pub(super) fn data(value: &Value) -> WireStep {
    WireStep::Send(Bytes::from(format!("data: {value}\n\n")))
}

/// A chunk with this delta.
pub(super) fn delta(model: &str, delta: &Value) -> WireStep {
    data(&chunk(model, delta, None))
}

fn chunk(model: &str, delta: &Value, finish: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model,
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
    })
}

/// The answer to `request` that says what `turn` says, streamed when a stream was asked for.
pub(super) fn answer(turn: &Turn, request: &ChatRequest, number: usize) -> WireAnswer {
    let mut wire = if request.is_stream() { streamed(turn, request, number) } else { unary(turn, request, number) };
    wire.before.extend(turn.before.iter().filter_map(waiting));
    wire
}

fn waiting(piece: &Piece) -> Option<WireStep> {
    match piece {
        Piece::Pause(pause) => Some(WireStep::Pause(*pause)),
        Piece::Hold(gate) => Some(WireStep::Hold(gate.clone())),
        Piece::Text(_) | Piece::Reasoning(_) => None,
    }
}

fn unary(turn: &Turn, request: &ChatRequest, number: usize) -> WireAnswer {
    let mut text = String::new();
    let mut reasoning = String::new();
    for piece in &turn.pieces {
        match piece {
            Piece::Text(more) => text.push_str(more),
            Piece::Reasoning(more) => reasoning.push_str(more),
            Piece::Pause(_) | Piece::Hold(_) => {}
        }
    }
    let mut message = json!({ "role": "assistant", "content": if text.is_empty() { Value::Null } else { json!(text) } });
    if !reasoning.is_empty() {
        message["reasoning_content"] = json!(reasoning);
    }
    if !turn.calls.is_empty() {
        let calls = turn.calls.iter().enumerate().map(|(index, call)| {
            let function = json!({ "name": call.tool, "arguments": arguments(call, request) });
            json!({ "id": call_id(call, number, index), "type": "function", "function": function })
        });
        message["tool_calls"] = calls.collect();
    }
    let mut body = json!({
        "id": "chatcmpl-fake", "object": "chat.completion", "created": 1_700_000_000, "model": request.model(),
        "choices": [{ "index": 0, "message": message, "finish_reason": turn.finish_reason() }],
    });
    if let Some(usage) = turn.usage {
        body["usage"] = usage_json(usage);
    }
    let mut wire = WireAnswer::whole(200, "application/json", body.to_string());
    wire.before = turn.pieces.iter().filter_map(waiting).collect();
    wire
}

fn streamed(turn: &Turn, request: &ChatRequest, number: usize) -> WireAnswer {
    let model = request.model();
    let mut steps = vec![delta(model, &json!({ "role": "assistant", "content": "" }))];
    steps.extend(turn.pieces.iter().map(|piece| match piece {
        Piece::Text(text) => delta(model, &json!({ "content": text })),
        Piece::Reasoning(text) => delta(model, &json!({ "reasoning_content": text })),
        Piece::Pause(pause) => WireStep::Pause(*pause),
        Piece::Hold(gate) => WireStep::Hold(gate.clone()),
    }));
    for (index, call) in turn.calls.iter().enumerate() {
        let id = call_id(call, number, index);
        let head = json!({ "index": index, "id": id, "type": "function", "function": { "name": call.tool, "arguments": "" } });
        steps.push(delta(model, &json!({ "tool_calls": [head] })));
        for fragment in fragments(&arguments(call, request)) {
            let piece = json!({ "index": index, "function": { "arguments": fragment } });
            steps.push(delta(model, &json!({ "tool_calls": [piece] })));
        }
    }
    for _ in 0..=usize::from(turn.duplicate_finish) {
        steps.push(data(&chunk(model, &json!({}), Some(turn.finish_reason()))));
    }
    if let Some(usage) = turn.usage {
        steps.push(data(&json!({
            "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": model,
            "choices": [], "usage": usage_json(usage),
        })));
    }
    steps.push(WireStep::Send(Bytes::from_static(b"data: [DONE]\n\n")));
    WireAnswer::stream(steps)
}

fn usage_json((prompt, completion): (u64, u64)) -> Value {
    json!({ "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion })
}

fn call_id(call: &Call, number: usize, index: usize) -> String {
    call.id.clone().unwrap_or_else(|| format!("call_{number}_{index}"))
}

fn arguments(call: &Call, request: &ChatRequest) -> String {
    match &call.arguments {
        Arguments::Text(text) => text.clone(),
        Arguments::Fields(fields) => arguments_for(request.schema_of(&call.tool), fields).to_string(),
    }
}

/// Pieces of a few characters, cut without regard to JSON.
fn fragments(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(5).map(|piece| piece.iter().collect()).collect()
}
