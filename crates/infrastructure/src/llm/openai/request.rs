//! The request as JSON, written from borrowed parts.

use crewd_application::ports::{Message, ModelRequest, ResponseFormat, Role, ToolCall, ToolChoice};
use crewd_domain::tools::ToolDescriptor;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::json;

use super::config::{Dialect, ResponseFormatMode, TokenLimitField};

/// Writes the body of a call.
///
/// # Errors
/// None that a request of this program can cause; they are those of the JSON writer.
pub(super) fn body(request: &ModelRequest, model: &str, dialect: Dialect) -> serde_json::Result<String> {
    serde_json::to_string(&ChatRequest { request, model, dialect })
}

struct ChatRequest<'a> {
    request: &'a ModelRequest,
    model: &'a str,
    dialect: Dialect,
}

impl Serialize for ChatRequest<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { request, model, dialect } = *self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", model)?;
        let schema = request.response_format.as_ref().filter(|_| dialect.response_format != ResponseFormatMode::JsonSchema);
        map.serialize_entry("messages", &Messages { messages: &request.messages, schema })?;
        if !request.tools.is_empty() {
            map.serialize_entry("tools", &Tools(&request.tools))?;
            if request.tool_choice == ToolChoice::None {
                map.serialize_entry("tool_choice", "none")?;
            } else if let Some(parallel) = dialect.parallel_tool_calls {
                map.serialize_entry("parallel_tool_calls", &parallel)?;
            }
        }
        if let Some(format) = &request.response_format {
            serialize_format(&mut map, format, dialect.response_format)?;
        }
        let sampling = &request.sampling;
        optional(&mut map, "temperature", sampling.temperature.as_ref())?;
        optional(&mut map, "top_p", sampling.top_p.as_ref())?;
        let limit = match dialect.token_limit {
            TokenLimitField::MaxTokens => "max_tokens",
            TokenLimitField::MaxCompletionTokens => "max_completion_tokens",
        };
        optional(&mut map, limit, sampling.max_tokens.as_ref())?;
        optional(&mut map, "stop", Some(&sampling.stop).filter(|stop| !stop.is_empty()))?;
        optional(&mut map, "seed", sampling.seed.as_ref())?;
        map.serialize_entry("stream", &request.stream)?;
        if request.stream && dialect.stream_usage {
            map.serialize_entry("stream_options", &StreamOptions)?;
        }
        map.end()
    }
}

fn optional<M: SerializeMap>(map: &mut M, name: &'static str, value: Option<&impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(name, value))
}

fn serialize_format<M: SerializeMap>(map: &mut M, format: &ResponseFormat, mode: ResponseFormatMode) -> Result<(), M::Error> {
    match mode {
        ResponseFormatMode::JsonSchema => {
            let name = schema_name(&format.name);
            let schema = json!({"name": name, "schema": &format.schema});
            map.serialize_entry("response_format", &json!({"type": "json_schema", "json_schema": schema}))
        }
        ResponseFormatMode::JsonObject => map.serialize_entry("response_format", &json!({"type": "json_object"})),
        ResponseFormatMode::Instructions => Ok(()),
    }
}

/// Providers allow letters, digits, `_` and `-`, at most 64.
fn schema_name(name: &str) -> String {
    let clean: String = name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if clean.is_empty() { "answer".to_owned() } else { clean }
}

struct StreamOptions;

impl Serialize for StreamOptions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("include_usage", &true)?;
        map.end()
    }
}

struct Messages<'a> {
    messages: &'a [Message],
    /// A shape to be explained in the instructions.
    schema: Option<&'a ResponseFormat>,
}

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        let mut rest = self.messages;
        if let Some(format) = self.schema {
            let shape = format!("Answer with one JSON value that matches this JSON Schema, and nothing else: {}", format.schema);
            let instructions = match rest.split_first() {
                Some((first, others)) if first.role == Role::System => {
                    rest = others;
                    format!("{}\n\n{shape}", first.content)
                }
                _ => shape,
            };
            seq.serialize_element(&WireMessage(&Message::text(Role::System, instructions)))?;
        }
        for message in rest {
            seq.serialize_element(&WireMessage(message))?;
        }
        seq.end()
    }
}

struct WireMessage<'a>(&'a Message);

impl Serialize for WireMessage<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Message { role, content, tool_calls, tool_call_id } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("role", role)?;
        // Always a text: some servers refuse null next to tool calls.
        map.serialize_entry("content", content)?;
        if !tool_calls.is_empty() {
            map.serialize_entry("tool_calls", &WireCalls(tool_calls))?;
        }
        optional(&mut map, "tool_call_id", tool_call_id.as_ref())?;
        map.end()
    }
}

struct WireCalls<'a>(&'a [ToolCall]);

impl Serialize for WireCalls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(WireCall))
    }
}

struct WireCall<'a>(&'a ToolCall);

impl Serialize for WireCall<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("id", &self.0.id)?;
        map.serialize_entry("type", "function")?;
        map.serialize_entry("function", &WireFunction(self.0))?;
        map.end()
    }
}

struct WireFunction<'a>(&'a ToolCall);

impl Serialize for WireFunction<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", &self.0.name)?;
        let arguments = &self.0.arguments;
        if serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok() {
            map.serialize_entry("arguments", arguments)?;
        } else {
            // Servers that read the arguments themselves refuse a conversation with broken ones.
            map.serialize_entry("arguments", &json!({"invalid_json": arguments}).to_string())?;
        }
        map.end()
    }
}

struct Tools<'a>(&'a [ToolDescriptor]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(WireTool))
    }
}

struct WireTool<'a>(&'a ToolDescriptor);

impl Serialize for WireTool<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", "function")?;
        map.serialize_entry("function", &ToolFunction(self.0))?;
        map.end()
    }
}

struct ToolFunction<'a>(&'a ToolDescriptor);

impl Serialize for ToolFunction<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("name", &self.0.name)?;
        map.serialize_entry("description", &self.0.description)?;
        map.serialize_entry("parameters", &self.0.parameters)?;
        map.end()
    }
}
