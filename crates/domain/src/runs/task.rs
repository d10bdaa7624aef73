//! What a client submits.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::status::named;
use crate::shared::{RunId, TaskId, TenantId};

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
    /// W3C trace context of the request that submitted it.
    pub traceparent: Option<String>,
    /// Id of the request that submitted it.
    pub request_id: String,
    /// The run whose state the task shows.
    pub current_run: RunId,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}
