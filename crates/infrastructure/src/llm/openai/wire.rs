//! What an event or a whole body says. Everything may be missing, null or of another type than documented.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A piece of an answer, or a whole one.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(default, borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) model: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(default, borrow)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
    /// Of an error that is not wrapped.
    #[serde(default, borrow)]
    pub(super) message: Option<&'a RawValue>,
}

/// One of the answers; only the first is ever asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    pub(super) index: Option<i64>,
    #[serde(default, borrow)]
    pub(super) delta: Option<Delta<'a>>,
    /// Of a whole answer; some vendors end a stream with it, too.
    #[serde(default, borrow)]
    pub(super) message: Option<Delta<'a>>,
    #[serde(default, borrow)]
    pub(super) finish_reason: Option<&'a RawValue>,
}

/// What is new.
#[derive(Debug, Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(default, borrow)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) reasoning_content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) reasoning: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) refusal: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) tool_calls: Option<Vec<CallPiece<'a>>>,
}

/// A fragment of a tool call.
#[derive(Debug, Deserialize)]
pub(super) struct CallPiece<'a> {
    #[serde(default)]
    pub(super) index: Option<i64>,
    #[serde(default, borrow)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) function: Option<FunctionPiece<'a>>,
}

/// The function of a fragment.
#[derive(Debug, Deserialize)]
pub(super) struct FunctionPiece<'a> {
    #[serde(default, borrow)]
    pub(super) name: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

impl Chunk<'_> {
    /// Whether this reports an error instead of an answer.
    pub(super) fn is_error(&self) -> bool {
        let wrapped = self.error.is_some_and(|error| !matches!(error.get(), "null" | "false" | "\"\"" | "{}" | "0"));
        wrapped || (self.choices.is_none() && text(self.message).is_some_and(|message| !message.is_empty()))
    }

    /// Whether this is an answer, or a part of one, at all.
    pub(super) fn is_answer(&self) -> bool {
        self.choices.is_some() || self.usage.is_some()
    }
}

/// The text of a value: itself, or the joined texts of a list of parts. `None` for everything else.
pub(super) fn text(value: Option<&RawValue>) -> Option<String> {
    let raw = value?.get();
    if raw.starts_with('"') {
        return serde_json::from_str(raw).ok();
    }
    if raw.starts_with('[') {
        let parts: Vec<Value> = serde_json::from_str(raw).ok()?;
        return Some(parts.iter().filter_map(|part| part.get("text")?.as_str()).collect());
    }
    None
}

/// The arguments of a call: JSON in a text as documented, or the JSON itself as some servers send it.
pub(super) fn arguments(value: Option<&RawValue>) -> Option<String> {
    let raw = value?;
    if raw.get().starts_with('{') { Some(raw.get().to_owned()) } else { text(value) }
}

/// Tokens as the provider counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cached: u64,
}

/// Reads a usage object of any vendor; `None` if it counts nothing.
pub(super) fn tokens(usage: &RawValue) -> Option<Tokens> {
    let usage: Value = serde_json::from_str(usage.get()).ok()?;
    let count = |paths: &[&str]| paths.iter().find_map(|path| usage.pointer(path)?.as_u64()).unwrap_or(0);
    let input = count(&["/prompt_tokens", "/input_tokens"]);
    let output = count(&["/completion_tokens", "/output_tokens"]);
    let cached = count(&[
        "/prompt_tokens_details/cached_tokens",
        "/input_tokens_details/cached_tokens",
        "/prompt_cache_hit_tokens",
        "/cached_tokens",
    ]);
    (input > 0 || output > 0).then_some(Tokens { input, output, cached: cached.min(input) })
}
