//! One journaled unit inside a run.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failure::Failure;
use super::status::named;
use crate::shared::{RunId, TaskId, Usage};
use crate::tools::EffectClass;

/// The stable address of a step: where it stands in the compiled plan, with loop counters; never a random id.
///
/// A run that is executed again walks the same paths, and so finds what it has already done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepPath(String);

impl StepPath {
    /// The crew task at a place in the crew's order, from 0.
    #[must_use]
    pub fn crew_task(index: usize) -> Self {
        Self(format!("crew_task[{index}]"))
    }

    /// The agent that works on it.
    #[must_use]
    pub fn agent(&self) -> Self {
        Self(format!("{}.agent", self.0))
    }

    /// A model call of the agent, from 0.
    #[must_use]
    pub fn turn(&self, index: usize) -> Self {
        Self(format!("{}.turn[{index}]", self.0))
    }

    /// A tool call that a turn asked for, from 0.
    #[must_use]
    pub fn tool(&self, index: usize) -> Self {
        Self(format!("{}.tool[{index}]", self.0))
    }

    /// A question to a person about the agent's work, from 0.
    #[must_use]
    pub fn input(&self, index: usize) -> Self {
        Self(format!("{}.input[{index}]", self.0))
    }

    /// A stored path.
    #[must_use]
    pub const fn from_stored(path: String) -> Self {
        Self(path)
    }

    /// The path that a client wrote, if it is one: `crew_task[0]`, `crew_task[0].agent`, a turn or a question of the
    /// agent, or a tool call of a turn.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let is_path = match parts.as_slice() {
            [task] => is_counted(task, "crew_task"),
            [task, "agent"] => is_counted(task, "crew_task"),
            [task, "agent", part] => is_counted(task, "crew_task") && (is_counted(part, "turn") || is_counted(part, "input")),
            [task, "agent", turn, tool] => is_counted(task, "crew_task") && is_counted(turn, "turn") && is_counted(tool, "tool"),
            _ => false,
        };
        is_path.then(|| Self(text.to_owned()))
    }

    /// The place of its crew task in the crew's order, from 0.
    #[must_use]
    pub fn crew_task_index(&self) -> Option<usize> {
        counter(self.0.split('.').next()?, "crew_task")
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `self` is `other` or lies inside it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The path one level up; `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('.').map(|(parent, _)| Self(parent.to_owned()))
    }
}

fn is_counted(part: &str, name: &str) -> bool {
    counter(part, name).is_some()
}

/// The number in `name[number]`, written as this program writes it.
fn counter(part: &str, name: &str) -> Option<usize> {
    let digits = part.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
    let is_plain = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| is_plain)
}

impl fmt::Display for StepPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A call of a model.
    LlmCall,
    /// A call of a tool.
    ToolCall,
    /// An answer of a person.
    Wait,
}

named!(StepKind { LlmCall = "llm_call", ToolCall = "tool_call", Wait = "wait" });

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Its intent is written; it may have had its effect or not.
    Started,
    /// Its result is written. It is never run again.
    Succeeded,
    /// It ended with an error that is written.
    Failed,
    /// A worker died in it and nobody can know whether it happened.
    OutcomeUnknown,
}

named!(StepStatus {
    Started = "started",
    Succeeded = "succeeded",
    Failed = "failed",
    OutcomeUnknown = "outcome_unknown",
});

impl StepStatus {
    /// Whether the journal has the step's result.
    #[must_use]
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// A row of the journal. Written before the act (`Started`) and again, whole, with the result.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The run it belongs to.
    pub run_id: RunId,
    /// The run's task.
    pub task_id: TaskId,
    /// Its address; unique within the run.
    pub path: StepPath,
    /// From 1; grows when recovery runs it again.
    pub attempt: u32,
    /// What it does.
    pub kind: StepKind,
    /// The model or the tool it calls.
    pub name: String,
    /// The agent on whose behalf, by its name in the crew.
    pub agent: String,
    /// What recovery may do with an intent without a result.
    pub effect: EffectClass,
    /// How far it is.
    pub status: StepStatus,
    /// SHA-256 of the input, hexadecimal: a different input under the same path is a mismatch.
    pub input_hash: String,
    /// Sent to the outside with the call; the same for every attempt.
    pub idempotency_key: String,
    /// The run that did it, where this run took it over: it is neither run nor paid again here.
    pub reused_from: Option<RunId>,
    /// The number of the event that announced it, which is also the order of the journal.
    pub seq: u64,
    /// The result: the model's message or the tool's text.
    pub output: Option<Value>,
    /// The error of a failed step.
    pub error: Option<Failure>,
    /// What it used.
    pub usage: Usage,
    /// When the intent was written.
    pub started_at: DateTime<Utc>,
    /// When the result was written.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Step {
    /// The input hash of a step that was taken over into a run with other inputs, prompts or models: it stands for any
    /// input, because the caller asked for just that.
    pub const ANY_INPUT: &'static str = "*";

    /// Whether the step was journaled with this input.
    #[must_use]
    pub fn had_input(&self, hash: &str) -> bool {
        self.input_hash == hash || self.input_hash == Self::ANY_INPUT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_nest() {
        let tool = StepPath::crew_task(2).agent().turn(3).tool(1);
        assert_eq!(tool.as_str(), "crew_task[2].agent.turn[3].tool[1]");
        assert_eq!(tool.parent(), Some(StepPath::crew_task(2).agent().turn(3)));
        assert_eq!(StepPath::crew_task(0).parent(), None);
        assert!(tool.is_within(&StepPath::crew_task(2)) && tool.is_within(&tool));
        assert!(!StepPath::crew_task(20).is_within(&StepPath::crew_task(2)));
    }

    #[test]
    fn written_paths_are_read_as_they_are_made() {
        let task = StepPath::crew_task(10);
        let turn = task.agent().turn(0);
        for path in [task.clone(), task.agent(), turn.clone(), turn.tool(12), task.agent().input(1)] {
            assert_eq!(StepPath::parse(path.as_str()), Some(path.clone()));
            assert_eq!(path.crew_task_index(), Some(10));
        }
        let wrong = [
            "",
            "crew_task",
            "crew_task[]",
            "crew_task[-1]",
            "crew_task[01]",
            "crew_task[+1]",
            "crew_task[x]",
            "agent",
            "turn[0]",
            "crew_task[0].",
            "crew_task[0].turn[0]",
            "crew_task[0].agent.tool[0]",
            "crew_task[0].agent.turn[0].tool[0].x",
            "crew_task[99999999999999999999]",
            " crew_task[0]",
            "crew_task[0].agent.input[0].tool[0]",
        ];
        for text in wrong {
            assert_eq!(StepPath::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_written_result_is_finished() {
        let finished: Vec<_> = StepStatus::ALL.iter().filter(|status| status.is_finished()).collect();
        assert_eq!(finished, [&StepStatus::Succeeded, &StepStatus::Failed]);
    }
}
