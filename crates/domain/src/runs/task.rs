//! What a client submits.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::status::named;
use super::step::StepPath;
use crate::shared::{RunId, ScheduleId, TaskId, TenantId, WebhookId};

/// Which task a free worker takes first; equal ones by age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody is looking at it.
    Interactive,
    /// The usual.
    #[default]
    Standard,
    /// May wait.
    Batch,
}

named!(Priority { Interactive = "interactive", Standard = "standard", Batch = "batch" });

impl Priority {
    /// The order of claiming: lower first.
    #[must_use]
    pub const fn rank(self) -> i16 {
        match self {
            Self::Interactive => 0,
            Self::Standard => 1,
            Self::Batch => 2,
        }
    }

    /// The priority with a stored rank; an unknown rank may wait.
    #[must_use]
    pub const fn from_rank(rank: i16) -> Self {
        match rank {
            0 => Self::Interactive,
            1 => Self::Standard,
            _ => Self::Batch,
        }
    }
}

/// What a task may use at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Input plus output tokens of all model calls.
    pub max_tokens: Option<u64>,
}

/// What happens to a new task while another one with the same concurrency key is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcurrencyMode {
    /// The new task is refused.
    Reject,
    /// The new task runs after those before it.
    #[default]
    Enqueue,
    /// The tasks before it are cancelled; what they have done is kept.
    Interrupt,
    /// The tasks before it are cancelled and their output is dropped.
    Rollback,
    /// The new inputs go as a message to the running task, at its next step; no new task is made.
    Merge,
}

named!(ConcurrencyMode {
    Reject = "reject",
    Enqueue = "enqueue",
    Interrupt = "interrupt",
    Rollback = "rollback",
    Merge = "merge",
});

/// At most one run with this key of its tenant is worked on at a time. Waiting runs count as none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// 1 to 200 characters, such as a conversation or a user.
    pub key: String,
    /// What happens to a new one.
    #[serde(default)]
    pub mode: ConcurrencyMode,
}

/// What tools of a child task may do behind the point where it leaves its origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForkEffects {
    /// A call that the origin made with the same arguments gives the recorded result; of the others only those that
    /// change nothing are made.
    #[default]
    Reuse,
    /// Only calls that change nothing are made; all others are told to the model as not carried out.
    DryRun,
    /// Calls are made as in any task.
    Execute,
}

named!(ForkEffects { Reuse = "reuse", DryRun = "dry_run", Execute = "execute" });

/// Where a child task comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The task it continues.
    pub task_id: TaskId,
    /// The run whose journal it took over.
    pub run_id: RunId,
    /// The first step that is done anew; none in a replay.
    pub from_step: Option<StepPath>,
    /// What tools may do.
    pub effects: ForkEffects,
    /// What is different in the child.
    #[serde(default)]
    pub overrides: ForkOverrides,
    /// Whether everything comes from the journal and must reach the same state.
    #[serde(default)]
    pub replay: bool,
    /// The acceptance of the first task of the line: prompts that tell the date tell this one.
    pub dated: DateTime<Utc>,
}

/// What is different in a child task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ForkOverrides {
    /// Values that replace inputs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub inputs: Map<String, Value>,
    /// The model of all agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Texts of agents (`role`, `goal`, `backstory`) by agent name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub agents: Map<String, Value>,
    /// Texts of crew tasks (`description`, `expected_output`) by name.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tasks: Map<String, Value>,
    /// Results of tools, by tool name: such a tool is not called.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tools: Map<String, Value>,
}

impl ForkOverrides {
    /// Whether nothing is different.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a submission asks for beyond the usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskOptions {
    /// Not to be started before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// Seconds it may wait for a worker before it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_timeout_seconds: Option<u32>,
    /// Seconds of one model or tool call; the installation's limits hold beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_timeout_seconds: Option<u32>,
    /// One at a time with this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The business key by which it was found to be new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    /// Whether it has a webhook of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookId>,
    /// The schedule that submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleId>,
    /// Where a fork or a replay comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// An accepted task. It is never changed after submission but for the run it points to.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// Its id, given to the client.
    pub id: TaskId,
    /// Its owner.
    pub tenant_id: TenantId,
    /// The crew's name.
    pub crew: String,
    /// The exact definition, `sha256:` and hexadecimal digits. Later changes of the crew do not touch the task.
    pub definition_version: String,
    /// Who comes first.
    pub priority: Priority,
    /// Values of the crew's placeholders.
    pub inputs: Map<String, Value>,
    /// The client's own labels.
    pub metadata: Map<String, Value>,
    /// Seconds from the start of a run to its forced end; the installation's default if absent.
    pub deadline_seconds: Option<u32>,
    /// What it may use.
    pub budget: Budget,
    /// What it asks for beyond the usual.
    pub options: TaskOptions,
    /// W3C trace context of the request that submitted it.
    pub traceparent: Option<String>,
    /// Id of the request that submitted it.
    pub request_id: String,
    /// The run whose state the task shows.
    pub current_run: RunId,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

impl Task {
    /// The date that prompts of this task tell: a fork keeps that of its origin, so that their prompts are the same.
    #[must_use]
    pub fn dated(&self) -> DateTime<Utc> {
        self.options.origin.as_ref().map_or(self.created_at, |origin| origin.dated)
    }
}
