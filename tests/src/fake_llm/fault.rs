//! Everything a provider does wrong.

use bytes::Bytes;
use serde_json::{Value, json};

use super::request::ChatRequest;
use super::turn::Gate;
use super::wire::{WireAnswer, WireStep, data, delta};

/// One way of failing.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with OpenAI's error body: `code` and `message`.
    Status(u16, &'static str, &'static str),
    /// 429, with `Retry-After` where given.
    TooManyRequests(Option<&'static str>),
    /// 502 with a page of HTML.
    HtmlPage,
    /// 200, `application/json`, not JSON.
    GarbageJson,
    /// 200, `text/html` instead of an answer.
    WrongContentType,
    /// 200 with an error object as the body; in a stream as its first event.
    ErrorInOk,
    /// 200 and no body at all.
    EmptyBody,
    /// Some text, then the connection breaks.
    Cut(&'static str),
    /// Some text, then a clean end without a finish reason or `[DONE]`.
    EndsEarly(&'static str),
    /// The request is read and nothing is ever answered.
    HangsBeforeHeaders,
    /// Some text, then silence.
    HangsMidStream(&'static str),
    /// Some text, then bytes that are no UTF-8.
    InvalidUtf8(&'static str),
    /// One chunk of text of this many bytes, then a proper end.
    HugeChunk(usize),
    /// Text without end.
    EndlessStream,
    /// Some text, then an error event inside the stream.
    ErrorMidStream(&'static str),
    /// 400: the conversation is longer than the model's window.
    ContextLength,
}

impl Fault {
    pub(super) fn answer(&self, request: &ChatRequest) -> WireAnswer {
        match self {
            Self::Status(status, code, message) => WireAnswer::whole(*status, JSON, error(code, message).to_string()),
            Self::TooManyRequests(after) => {
                let mut wire = WireAnswer::whole(429, JSON, error("rate_limit_exceeded", "slow down").to_string());
                wire.headers.extend(after.map(|seconds| ("retry-after", seconds.to_owned())));
                wire
            }
            Self::HtmlPage => WireAnswer::whole(502, HTML, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
            Self::GarbageJson => WireAnswer::whole(200, JSON, "{\"choices\": [{ oh no"),
            Self::WrongContentType => WireAnswer::whole(200, HTML, "<html>please log in</html>"),
            Self::ErrorInOk if request.is_stream() => WireAnswer::stream(vec![data(&error("server_error", "the model is sick"))]),
            Self::ErrorInOk => WireAnswer::whole(200, JSON, error("server_error", "the model is sick").to_string()),
            Self::EmptyBody if request.is_stream() => WireAnswer::stream(Vec::new()),
            Self::EmptyBody => WireAnswer::whole(200, JSON, ""),
            Self::HangsBeforeHeaders => {
                let mut wire = WireAnswer::stream(Vec::new());
                wire.before.push(WireStep::Hold(Gate::new()));
                wire
            }
            Self::ContextLength => {
                let message =
                    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.";
                WireAnswer::whole(400, JSON, error("context_length_exceeded", message).to_string())
            }
            Self::Cut(text) => self.after(text, request, vec![WireStep::Abort]),
            Self::EndsEarly(text) => self.after(text, request, Vec::new()),
            Self::HangsMidStream(text) => self.after(text, request, vec![WireStep::Hold(Gate::new())]),
            Self::InvalidUtf8(text) => {
                let bytes = Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\xc3\x28\"}}]}\n\n");
                self.after(text, request, vec![WireStep::Send(bytes), WireStep::Abort])
            }
            Self::ErrorMidStream(text) => self.after(text, request, vec![data(&error("server_error", "lost the thread"))]),
            Self::HugeChunk(bytes) => {
                let text = "x".repeat(*bytes);
                let mut wire = self.after(&text, request, Vec::new());
                wire.steps.push(finish(request));
                wire.steps.push(WireStep::Send(Bytes::from_static(b"data: [DONE]\n\n")));
                wire
            }
            Self::EndlessStream => {
                let WireStep::Send(piece) = delta(request.model(), &json!({ "content": "again and ".repeat(400) })) else {
                    unreachable!("a delta is sent")
                };
                self.after("", request, vec![WireStep::Endless(piece)])
            }
        }
    }

    /// Half an answer, then `rest`. Where no stream was asked for, half a JSON object stands for half a stream.
    fn after(&self, text: &str, request: &ChatRequest, rest: Vec<WireStep>) -> WireAnswer {
        if !request.is_stream() {
            let mut wire = WireAnswer::whole(200, JSON, format!("{{\"choices\":[{{\"message\":{{\"content\":\"{text}"));
            wire.steps.extend(rest);
            return wire;
        }
        let mut steps = vec![delta(request.model(), &json!({ "role": "assistant", "content": "" }))];
        if !text.is_empty() {
            steps.push(delta(request.model(), &json!({ "content": text })));
        }
        steps.extend(rest);
        WireAnswer::stream(steps)
    }
}

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";

fn error(code: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code } })
}

fn finish(request: &ChatRequest) -> WireStep {
    data(&json!({
        "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": request.model(),
        "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }],
    }))
}
