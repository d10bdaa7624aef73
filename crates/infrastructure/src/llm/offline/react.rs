//! Tool calls in text, for requests that describe them in the prompt.

use crewd_application::ports::{ModelRequest, Role};
use serde_json::Value;

use super::brief::ToolReturn;

const ACTION: &str = "Action:";
const ACTION_INPUT: &str = "Action Input:";
const OBSERVATION: &str = "Observation:";
/// What stands before the schema of a tool's arguments, in our prompts and in CrewAI's.
const ARGUMENTS: [&str; 2] = ["Arguments (JSON Schema):", "Tool Arguments:"];

/// A tool as a prompt describes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DescribedTool {
    pub(super) name: String,
    pub(super) parameters: Value,
}

/// The tools that the prompt describes; empty when it does not ask for calls in text.
pub(super) fn described_tools(request: &ModelRequest) -> Vec<DescribedTool> {
    let instructions = request.messages.iter().take_while(|message| message.role != Role::Assistant);
    let asks = |text: &str| text.contains(ACTION) && text.contains(ACTION_INPUT);
    instructions.filter(|message| asks(&message.content)).flat_map(|message| tools_in(&message.content)).collect()
}

fn tools_in(text: &str) -> Vec<DescribedTool> {
    let mut tools = Vec::new();
    let mut name = String::new();
    let mut rest = text;
    while let Some((line, others)) = rest.split_once('\n').or((!rest.is_empty()).then_some((rest, ""))) {
        let bare = line.trim();
        if let Some(named) = bare.strip_prefix("Tool Name:").or_else(|| bare.strip_prefix("- ")) {
            name = named.split([':', '(']).next().unwrap_or_default().trim().to_owned();
        }
        if let Some(schema) = ARGUMENTS.iter().find_map(|mark| bare.strip_prefix(mark))
            && !name.is_empty()
        {
            // The schema may go on over the following lines.
            let whole = format!("{schema}\n{others}");
            let parameters = serde_json::Deserializer::from_str(&whole).into_iter::<Value>().next().and_then(Result::ok);
            let name = std::mem::take(&mut name);
            tools.push(DescribedTool { name, parameters: parameters.unwrap_or_default() });
        }
        rest = others;
    }
    tools
}

/// The actions so far with what was observed after each.
pub(super) fn actions(request: &ModelRequest) -> Vec<ToolReturn> {
    let mut actions: Vec<ToolReturn> = Vec::new();
    let conversation = request.messages.iter().skip_while(|message| message.role != Role::Assistant);
    for message in conversation {
        for line in message.content.lines() {
            if let Some(tool) = line.trim_start().strip_prefix(ACTION) {
                actions.push(ToolReturn { tool: tool.trim().to_owned(), text: String::new() });
            }
        }
        let observed = message.content.find(OBSERVATION).and_then(|at| message.content.get(at + OBSERVATION.len()..));
        if let (Some(text), Some(last)) = (observed, actions.last_mut())
            && last.text.is_empty()
        {
            text.trim().clone_into(&mut last.text);
        }
    }
    actions
}

/// One call, and nothing behind it.
pub(super) fn action(tool: &str, arguments: &Value) -> String {
    format!("Thought: I should use {tool} once.\n{ACTION} {tool}\n{ACTION_INPUT} {arguments}")
}

/// The answer.
pub(super) fn final_answer(answer: &str) -> String {
    format!("Thought: I know the answer\nFinal Answer: {answer}")
}
