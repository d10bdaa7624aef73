//! Tool calls in text, for models without native ones (the ReAct form).
//!
//! An answer that still contains an action nobody has executed is never accepted: whatever a model writes after an
//! action is invented.

use crewd_domain::tools::ToolDescriptor;

/// Ends a model's text before it invents a result.
pub(super) const OBSERVATION_STOP: &str = "\nObservation:";

const ACTION: &str = "Action:";
const INPUT: &str = "Action Input:";
const OBSERVATION: &str = "Observation:";
const FINAL: &str = "Final Answer:";

/// What a text means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Call a tool. `said` is the text up to and with the call: what comes after it is dropped.
    Action {
        /// What goes into the conversation.
        said: String,
        /// The tool's name as written.
        tool: String,
        /// The arguments as written.
        arguments: String,
    },
    /// An answer.
    Answer(String),
    /// An answer that contains an action which was not executed.
    Unexecuted,
}

/// A line that begins with a marker: where the line starts, and where the text behind the marker does.
fn marker(text: &str, marker: &str, from: usize) -> Option<(usize, usize)> {
    let mut offset = from;
    for line in text.get(from..)?.split_inclusive('\n') {
        let bare = line.trim_start_matches([' ', '\t', '*', '#', '>', '`']);
        let indent = line.len() - bare.len();
        if bare.get(..marker.len()).is_some_and(|start| start.eq_ignore_ascii_case(marker)) {
            let after = bare.get(marker.len()..).unwrap_or_default();
            let emphasis = after.len() - after.trim_start_matches('*').len();
            return Some((offset, offset + indent + marker.len() + emphasis));
        }
        offset += line.len();
    }
    None
}

fn slice(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

/// Reads a text of a model that has these tools.
#[must_use]
pub(super) fn read_text(text: &str, tools: &[ToolDescriptor]) -> Reading {
    let answer = marker(text, FINAL, 0);
    if let Some(action) = find_action(text)
        && answer.is_none_or(|(start, _)| action.start < start)
    {
        return Reading::Action {
            said: slice(text, 0, action.end).trim_end().to_owned(),
            tool: clean_name(action.tool, tools),
            arguments: clean_arguments(action.arguments),
        };
    }
    let text = match answer {
        Some((_, body)) => slice(text, body, text.len()),
        None => text,
    };
    if find_action(text).is_some() || names_a_tool(text, tools) {
        return Reading::Unexecuted;
    }
    let end = marker(text, OBSERVATION, 0).map_or(text.len(), |(start, _)| start);
    Reading::Answer(slice(text, 0, end).trim().to_owned())
}

/// A result, as the model expects it.
#[must_use]
pub(super) fn observation(text: &str) -> String {
    format!("{OBSERVATION} {text}")
}

struct Action<'a> {
    start: usize,
    end: usize,
    tool: &'a str,
    arguments: &'a str,
}

/// The first action with its input; the input ends at the next marker.
fn find_action(text: &str) -> Option<Action<'_>> {
    let (start, name) = marker(text, ACTION, 0)?;
    let (input_line, input) = marker(text, INPUT, name)?;
    let end = [OBSERVATION, ACTION, FINAL, "Thought:"]
        .into_iter()
        .filter_map(|next| marker(text, next, input).map(|(line, _)| line))
        .min()
        .unwrap_or(text.len());
    Some(Action { start, end, tool: slice(text, name, input_line), arguments: slice(text, input, end) })
}

/// An action line without input that names a tool on offer is an action as well.
fn names_a_tool(text: &str, tools: &[ToolDescriptor]) -> bool {
    marker(text, ACTION, 0).is_some_and(|(_, name)| {
        let line = text.get(name..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        tools.iter().any(|tool| clean(line).eq_ignore_ascii_case(&tool.name))
    })
}

fn clean(name: &str) -> &str {
    name.trim().trim_matches(['`', '"', '\'', '*', '[', ']', ' '])
}

/// The tool on offer that is meant, else the name as written: the model is told that there is no such tool.
fn clean_name(written: &str, tools: &[ToolDescriptor]) -> String {
    let name = clean(written);
    let same = |tool: &&ToolDescriptor| {
        tool.name.eq_ignore_ascii_case(name) || tool.name.eq_ignore_ascii_case(&name.replace([' ', '-'], "_"))
    };
    tools.iter().find(same).map_or_else(|| name.to_owned(), |tool| tool.name.clone())
}

/// The JSON object in what was written, without fences and without what follows it.
fn clean_arguments(written: &str) -> String {
    let bare = written.trim().trim_start_matches("```json").trim_matches('`').trim();
    let mut stream = serde_json::Deserializer::from_str(bare).into_iter::<serde_json::Value>();
    match stream.next() {
        Some(Ok(value)) => value.to_string(),
        _ => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crewd_domain::tools::{EffectClass, RiskLevel};
    use serde_json::json;

    use super::*;

    fn tools() -> Vec<ToolDescriptor> {
        vec![ToolDescriptor {
            name: "file_read".into(),
            description: "d".into(),
            parameters: json!({}),
            risk: RiskLevel::Low,
            effect: EffectClass::ReadOnly,
            reconciles: false,
        }]
    }

    fn action(text: &str) -> Option<(String, String, String)> {
        match read_text(text, &tools()) {
            Reading::Action { said, tool, arguments } => Some((said, tool, arguments)),
            _ => None,
        }
    }

    #[test]
    fn an_action_is_read_and_what_follows_is_dropped() {
        let text =
            "Thought: look\nAction: file_read\nAction Input: {\"path\": \"a\"}\nObservation: invented\nFinal Answer: wrong";
        let (said, tool, arguments) = action(text).unwrap();
        assert_eq!(said, "Thought: look\nAction: file_read\nAction Input: {\"path\": \"a\"}");
        assert_eq!((tool.as_str(), arguments.as_str()), ("file_read", "{\"path\":\"a\"}"));
    }

    #[test]
    fn models_decorate() {
        for text in [
            "**Action:** `file_read`\n**Action Input:** ```json\n{\"path\": \"a\"}\n```",
            "action: File Read\naction input: {\"path\": \"a\"} and more",
            "Action: \"file-read\"\nAction Input:\n{\"path\":\n \"a\"}\n",
        ] {
            let (_, tool, arguments) = action(text).unwrap();
            assert_eq!((tool.as_str(), arguments.as_str()), ("file_read", "{\"path\":\"a\"}"), "{text}");
        }
    }

    #[test]
    fn an_unexecuted_action_is_never_an_answer() {
        for text in [
            "Final Answer: I will do this.\nAction: file_read\nAction Input: {}",
            "Action: file_read",
            "Final Answer: ok\nAction: `file_read`",
        ] {
            assert_eq!(read_text(text, &tools()), Reading::Unexecuted, "{text}");
        }
    }

    #[test]
    fn an_answer_is_what_stands_behind_its_marker() {
        assert_eq!(read_text("Thought: done\nFinal Answer: 42\nmore", &tools()), Reading::Answer("42\nmore".into()));
        assert_eq!(
            read_text("just text, Action: no line of its own", &tools()),
            Reading::Answer("just text, Action: no line of its own".into())
        );
        assert_eq!(read_text("Final Answer: x\nObservation: invented", &tools()), Reading::Answer("x".into()));
        assert_eq!(read_text("动作：无\nFinal Answer: 好", &tools()), Reading::Answer("好".into()));
    }

    #[test]
    fn no_text_breaks_the_reader() {
        for text in [
            "",
            "Action:",
            "Action:\nAction Input:",
            "Action Input: {}",
            "Final Answer:",
            "\u{0}Action\n",
            "Action:字\nAction Input:字",
        ] {
            let _ = read_text(text, &tools());
        }
    }
}
