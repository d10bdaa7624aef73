//! What models are told. The texts are ours; what they convey is CrewAI's: role, backstory, goal, task, expected output,
//! context, and the form of tool calls for models that have no native ones.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use crewd_domain::crews::{AgentDefinition, CrewTaskDefinition};
use crewd_domain::tools::ToolDescriptor;
use serde_json::Value;

/// Who the agent is, and how to call tools where that is done in text. `date` is the day the task was accepted, so
/// that a run which goes on the next day tells its models the same.
#[must_use]
pub(super) fn system(agent: &AgentDefinition, text_tools: Option<&[ToolDescriptor]>, date: DateTime<Utc>) -> String {
    let mut text = match &agent.system_template {
        Some(template) => template.clone(),
        None => format!("You are {}.\n{}\nYour goal: {}", agent.role.trim(), agent.backstory.trim(), agent.goal.trim()),
    };
    if let Some(tools) = text_tools {
        text.push_str("\n\n");
        text.push_str(&tool_form(tools));
    }
    if agent.inject_date {
        let format = agent.date_format.as_deref().unwrap_or("%Y-%m-%d");
        let mut day = String::new();
        // A format that chrono cannot write leaves the date out; validation has warned about it.
        if write!(day, "{}", date.format(format)).is_ok() {
            let _ = write!(text, "\n\nCurrent date: {day}");
        }
    }
    text
}

/// The crew task.
#[must_use]
pub(super) fn user(task: &CrewTaskDefinition, context: &str) -> String {
    let mut text = task.description.trim_end().to_owned();
    if !task.expected_output.trim().is_empty() {
        let _ = write!(
            text,
            "\n\nThe answer is expected to be: {}\nGive the complete answer itself, not a summary of it.",
            task.expected_output.trim()
        );
    }
    if task.markdown {
        text.push_str("\n\nFormat the answer as Markdown: headings, lists, emphasis and code blocks where they help.");
    }
    if let Some(schema) = &task.output_json {
        let _ = write!(
            text,
            "\n\nThe answer must be one JSON value, without any text around it, that fits this JSON Schema:\n{schema}"
        );
    }
    if !context.is_empty() {
        let _ = write!(text, "\n\nWhat earlier tasks have found, to work with:\n{context}");
    }
    text
}

fn tool_form(tools: &[ToolDescriptor]) -> String {
    let mut text = String::from("You can use these tools, and no others:\n");
    for tool in tools {
        let _ = write!(text, "\n- {}: {}\n  Arguments (JSON Schema): {}", tool.name, tool.description, tool.parameters);
    }
    text.push_str(
        "\n\nTo use a tool, write exactly these lines and then stop:\n\
         Thought: why you need it\n\
         Action: the tool's name\n\
         Action Input: its arguments as one JSON object\n\n\
         You will then get a line that begins with \"Observation:\" and holds the result. Never write it yourself.\n\
         When you know enough, write:\n\
         Thought: I know the answer\n\
         Final Answer: the complete answer",
    );
    text
}

/// A person wishes the answer to be changed.
#[must_use]
pub(super) fn human_feedback(wish: &str) -> String {
    format!("A person has read your answer and asks for changes:\n\n{wish}\n\nGive the whole answer again, with these changes.")
}

/// After the last turn.
#[must_use]
pub(super) const fn answer_now() -> &'static str {
    "You have used all your turns. Do not call any more tools. Give your best complete answer now, from what you know."
}

/// An answer that holds an action nobody has executed.
#[must_use]
pub(super) const fn unexecuted_action() -> &'static str {
    "Your answer contains an action that was not carried out. Either write the action with its input and stop, or give a final answer without any action."
}

/// An empty answer.
#[must_use]
pub(super) const fn empty_answer() -> &'static str {
    "Your answer was empty. Give the complete answer."
}

/// An answer that does not fit its schema.
#[must_use]
pub(super) fn repair_json(problems: &[String], schema: &Value) -> String {
    let list: Vec<String> = problems.iter().map(|problem| format!("- {problem}")).collect();
    format!(
        "Your answer cannot be used:\n{}\nGive the answer again as one JSON value that fits this JSON Schema, without any text around it:\n{schema}",
        list.join("\n")
    )
}

/// Asks for the essence of a part of a conversation that has become too long.
#[must_use]
pub(super) fn summarise(part: &str) -> String {
    format!(
        "Summarise this part of a work log so that the work can go on from the summary alone. Keep every fact, number, name, file and \
         result that may be needed; leave out what is settled or repeated.\n\n{part}"
    )
}

/// Puts the essence back into the conversation.
#[must_use]
pub(super) fn summary(text: &str) -> String {
    format!("The conversation so far was too long; this is its summary:\n{text}\n\nGo on with the task from here.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_task_carries_everything_a_model_needs() {
        let mut task = CrewTaskDefinition::new("t", "Describe {x}\n", "Two sentences", "a");
        let text = user(&task, "earlier facts");
        assert!(text.starts_with("Describe {x}\n\nThe answer is expected to be: Two sentences"));
        assert!(text.ends_with("earlier facts"));
        task.expected_output = String::new();
        assert!(!user(&task, "").contains("expected"));
    }

    #[test]
    fn the_date_is_the_tasks_own() {
        let date = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let mut agent = AgentDefinition::new("a", "Poet", "Rhyme", "Old");
        assert_eq!(system(&agent, None, date), "You are Poet.\nOld\nYour goal: Rhyme");
        agent.inject_date = true;
        assert!(system(&agent, None, date).ends_with("Current date: 2023-11-14"));
        agent.date_format = Some("%Q".into());
        assert!(system(&agent, None, date).ends_with("Rhyme"), "a wrong format leaves the date out");
    }
}
