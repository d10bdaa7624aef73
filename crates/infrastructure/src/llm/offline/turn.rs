//! What to do next: call tools or answer.

use crewd_application::ports::{ModelRequest, Role, ToolCall, ToolChoice};
use crewd_domain::tools::ToolDescriptor;
use serde_json::Value;

use super::answer;
use super::brief::Brief;
use super::fields;
use super::instance::{Maker, Purpose};
use super::react;

/// What the model does on one call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Calls(Vec<ToolCall>),
    Text(String),
}

/// Decides on the next turn.
pub(super) fn next(request: &ModelRequest) -> Turn {
    let mut brief = Brief::of(request);
    let may_call = request.tool_choice == ToolChoice::Auto;
    if may_call && !request.tools.is_empty() {
        let calls = calls(request, &brief);
        if !calls.is_empty() {
            return Turn::Calls(calls);
        }
    }
    if !request.tools.is_empty() {
        return Turn::Text(written(request, &brief));
    }
    let described = react::described_tools(request);
    if described.is_empty() {
        return Turn::Text(written(request, &brief));
    }
    brief.returns = react::actions(request);
    let is_done = |name: &str| brief.returns.iter().any(|done| done.tool == name);
    match described.iter().find(|tool| may_call && !is_done(&tool.name)) {
        Some(tool) => Turn::Text(react::action(&tool.name, &arguments(&tool.name, &tool.parameters, &brief))),
        None if may_call => Turn::Text(react::final_answer(&written(request, &brief))),
        None => Turn::Text(written(request, &brief)),
    }
}

/// The answer: a value where a schema is given, otherwise text in the expected shape.
fn written(request: &ModelRequest, brief: &Brief) -> String {
    let asked = request.response_format.as_ref().map(|format| format.schema.clone()).or_else(|| schema_in_text(request));
    match asked {
        Some(root) => Maker { root: &root, brief, purpose: Purpose::Answer, tool: "" }.make().to_string(),
        None => answer::write(brief),
    }
}

/// A schema that the last user message asks the answer to fit.
fn schema_in_text(request: &ModelRequest) -> Option<Value> {
    const MARK: &str = "JSON Schema:";
    let users = request.messages.iter().rev().filter(|message| message.role == Role::User);
    users.filter_map(|message| message.content.rsplit_once(MARK)).find_map(|(_, behind)| {
        let first = serde_json::Deserializer::from_str(behind).into_iter::<Value>().next()?.ok()?;
        first.is_object().then_some(first)
    })
}

/// Which tools depend on which: look around, then read what was found, then write it down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Look,
    Read,
    Write,
}

fn stage(tool: &ToolDescriptor) -> Stage {
    let name = tool.name.to_lowercase();
    let properties = || tool.parameters.get("properties").and_then(Value::as_object).into_iter().flatten();
    let required = || tool.parameters.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let takes_path = required().any(fields::is_path);
    if takes_path && properties().any(|(field, _)| fields::is_content(field)) {
        Stage::Write
    } else if takes_path && !["dir", "folder", "list"].iter().any(|word| name.contains(word)) {
        Stage::Read
    } else {
        Stage::Look
    }
}

/// The tools that were not called yet and whose turn it is, all at once.
fn calls(request: &ModelRequest, brief: &Brief) -> Vec<ToolCall> {
    let called = |name: &str| request.messages.iter().flat_map(|message| &message.tool_calls).any(|call| call.name == name);
    let left: Vec<&ToolDescriptor> = request.tools.iter().filter(|tool| !called(&tool.name)).collect();
    let Some(now) = left.iter().map(|tool| stage(tool)).min() else { return Vec::new() };
    let due = left.into_iter().filter(|tool| stage(tool) == now);
    due.enumerate()
        .map(|(number, tool)| ToolCall {
            id: format!("call_{:08x}_{number}", brief.seed >> 32),
            name: tool.name.clone(),
            arguments: arguments(&tool.name, &tool.parameters, brief).to_string(),
        })
        .collect()
}

fn arguments(tool: &str, parameters: &Value, brief: &Brief) -> Value {
    let made = Maker { root: parameters, brief, purpose: Purpose::Arguments, tool }.make();
    if made.is_object() { made } else { Value::Object(serde_json::Map::new()) }
}
