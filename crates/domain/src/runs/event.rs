//! One line of a run's log.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::status::named;
use super::step::StepPath;
use crate::shared::{RunId, TaskId};

/// What happened. The names are part of the HTTP contract and are never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the documentation; docs/api.md explains each")]
pub enum EventKind {
    TaskQueued,
    TaskStarted,
    TaskWaiting,
    TaskResumed,
    TaskCancelling,
    TaskSucceeded,
    TaskIncomplete,
    TaskFailed,
    TaskCancelled,
    TaskRejected,
    CrewTaskStarted,
    CrewTaskCompleted,
    CrewTaskSkipped,
    AgentStarted,
    AgentCompleted,
    StepRestarted,
    LlmStarted,
    LlmDelta,
    LlmCompleted,
    LlmFailed,
    LlmRetried,
    ToolStarted,
    ToolCompleted,
    ToolFailed,
    ApprovalRequested,
    ApprovalDecided,
    ApprovalExpired,
    Log,
}

named!(EventKind {
    TaskQueued = "task.queued",
    TaskStarted = "task.started",
    TaskWaiting = "task.waiting",
    TaskResumed = "task.resumed",
    TaskCancelling = "task.cancelling",
    TaskSucceeded = "task.succeeded",
    TaskIncomplete = "task.incomplete",
    TaskFailed = "task.failed",
    TaskCancelled = "task.cancelled",
    TaskRejected = "task.rejected",
    CrewTaskStarted = "crew_task.started",
    CrewTaskCompleted = "crew_task.completed",
    CrewTaskSkipped = "crew_task.skipped",
    AgentStarted = "agent.started",
    AgentCompleted = "agent.completed",
    StepRestarted = "step.restarted",
    LlmStarted = "llm.started",
    LlmDelta = "llm.delta",
    LlmCompleted = "llm.completed",
    LlmFailed = "llm.failed",
    LlmRetried = "llm.retried",
    ToolStarted = "tool.started",
    ToolCompleted = "tool.completed",
    ToolFailed = "tool.failed",
    ApprovalRequested = "approval.requested",
    ApprovalDecided = "approval.decided",
    ApprovalExpired = "approval.expired",
    Log = "log",
});

impl EventKind {
    /// Whether the run's log ends with it.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::TaskSucceeded | Self::TaskIncomplete | Self::TaskFailed | Self::TaskCancelled | Self::TaskRejected)
    }

    /// Whether it is a piece of a stream that may be committed together with others a moment later.
    #[must_use]
    pub const fn is_delta(self) -> bool {
        matches!(self, Self::LlmDelta)
    }
}

/// An event that has no number yet: what a state machine or the engine wants to say.
#[derive(Clone, Debug, PartialEq)]
pub struct EventDraft {
    /// What happened.
    pub kind: EventKind,
    /// The step it belongs to, if any.
    pub step: Option<StepPath>,
    /// The payload: a JSON object.
    pub data: Value,
}

impl EventDraft {
    /// An event of the whole run.
    #[must_use]
    pub const fn of_run(kind: EventKind, data: Value) -> Self {
        Self { kind, step: None, data }
    }

    /// An event of one step.
    #[must_use]
    pub const fn of_step(kind: EventKind, step: StepPath, data: Value) -> Self {
        Self { kind, step: Some(step), data }
    }

    /// Gives the event its place in the log of its task.
    #[must_use]
    pub fn number(self, seq: u64, task_id: TaskId, run_id: RunId, at: DateTime<Utc>) -> Event {
        let text = self.data.to_string();
        let data = RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned());
        Event { seq, kind: self.kind, task_id, run_id, step: self.step, at, data }
    }
}

/// A numbered event. `seq` starts at 1 and has no gap within a task.
///
/// Serialises as the envelope of the HTTP contract (`seq`, `type`, `task_id`, `run_id`, `step`, `ts`, `data`).
/// The payload is kept as JSON text: it is written once and copied to every reader.
#[derive(Clone, Debug)]
pub struct Event {
    /// Place in the task's log.
    pub seq: u64,
    /// What happened.
    pub kind: EventKind,
    /// The task whose log it is in.
    pub task_id: TaskId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// The step it belongs to, if any.
    pub step: Option<StepPath>,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The payload as JSON text.
    pub data: Box<RawValue>,
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut envelope = serializer.serialize_struct("Event", 7)?;
        envelope.serialize_field("seq", &self.seq)?;
        envelope.serialize_field("type", self.kind.as_str())?;
        envelope.serialize_field("task_id", &self.task_id)?;
        envelope.serialize_field("run_id", &self.run_id)?;
        envelope.serialize_field("step", &self.step)?;
        envelope.serialize_field("ts", &self.at.to_rfc3339_opts(SecondsFormat::Millis, true))?;
        envelope.serialize_field("data", &self.data)?;
        envelope.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_envelope_is_the_contract() {
        let draft =
            EventDraft::of_step(EventKind::ToolCompleted, StepPath::crew_task(0).agent().turn(1).tool(0), json!({"ok": true}));
        let at = DateTime::from_timestamp_millis(1_700_000_000_123).unwrap();
        let event = draft.number(17, TaskId::new(Uuid::nil()), RunId::new(Uuid::nil()), at);
        let nil = Uuid::nil().to_string();
        let expected = json!({"seq": 17, "type": "tool.completed", "task_id": nil, "run_id": nil,
            "step": "crew_task[0].agent.turn[1].tool[0]", "ts": "2023-11-14T22:13:20.123Z", "data": {"ok": true}});
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
    }

    #[test]
    fn exactly_the_ends_of_a_task_are_terminal() {
        let terminal: Vec<_> = EventKind::ALL.iter().filter(|kind| kind.is_terminal()).map(|kind| kind.as_str()).collect();
        assert_eq!(terminal, ["task.succeeded", "task.incomplete", "task.failed", "task.cancelled", "task.rejected"]);
    }
}
