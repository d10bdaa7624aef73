//! What a provider's client asked for.

use serde_json::{Map, Value, json};

/// The body of one chat request, with names for what scripts ask most.
#[derive(Clone, Debug)]
pub struct ChatRequest(pub Value);

impl ChatRequest {
    /// The model's name.
    pub fn model(&self) -> &str {
        self.0["model"].as_str().unwrap_or_default()
    }

    /// Whether a stream is wanted.
    pub fn is_stream(&self) -> bool {
        self.0["stream"] == true
    }

    /// The conversation.
    pub fn messages(&self) -> &[Value] {
        self.0["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Names of the tools offered.
    pub fn tools(&self) -> Vec<&str> {
        let tools = self.0["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).collect()
    }

    /// Whether tools are offered and may be called.
    pub fn may_call_tools(&self) -> bool {
        !self.tools().is_empty() && self.0["tool_choice"] != "none"
    }

    /// JSON Schema of a tool's arguments.
    pub fn schema_of(&self, tool: &str) -> Option<&Value> {
        let tools = self.0["tools"].as_array()?;
        tools.iter().find(|offered| offered["function"]["name"] == tool).map(|found| &found["function"]["parameters"])
    }

    /// Tool results in the conversation, in order, as text.
    pub fn tool_results(&self) -> Vec<String> {
        self.messages().iter().filter(|message| message["role"] == "tool").map(content).collect()
    }

    /// Text of the system message; empty when there is none.
    pub fn system(&self) -> String {
        self.messages().iter().find(|message| message["role"] == "system").map(content).unwrap_or_default()
    }

    /// Text of the last message from the user; empty when there is none.
    pub fn last_user(&self) -> String {
        self.messages().iter().rev().find(|message| message["role"] == "user").map(content).unwrap_or_default()
    }

    /// The text of all messages, one after the other.
    pub fn text(&self) -> String {
        self.messages().iter().map(content).collect::<Vec<_>>().join("\n")
    }
}

/// A message's text, whether it is a string or a list of parts.
fn content(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join(""),
        _ => String::new(),
    }
}

/// Arguments that satisfy `schema`: what `given` names by field, and the simplest value for every other required field.
pub fn arguments_for(schema: Option<&Value>, given: &Value) -> Value {
    let mut arguments = Map::new();
    let required = schema.and_then(|schema| schema["required"].as_array()).cloned().unwrap_or_default();
    for name in required.iter().filter_map(Value::as_str) {
        let field = schema.map(|schema| &schema["properties"][name]).unwrap_or(&Value::Null);
        arguments.insert(name.to_owned(), simplest(name, field));
    }
    for (name, value) in given.as_object().into_iter().flatten() {
        arguments.insert(name.clone(), value.clone());
    }
    Value::Object(arguments)
}

fn simplest(name: &str, field: &Value) -> Value {
    if let Some(first) = field["enum"].as_array().and_then(|values| values.first()) {
        return first.clone();
    }
    match field["type"].as_str().unwrap_or("string") {
        "integer" | "number" => json!(1),
        "boolean" => json!(false),
        "array" => json!([]),
        "object" => json!({}),
        _ if name.contains("path") || name.contains("dir") || name.contains("file") => json!("."),
        _ => json!("text"),
    }
}
