//! What became of one time of a schedule.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::runs::named;
use crate::shared::{ScheduleId, TaskId, TenantId};

/// Why a schedule fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FireKind {
    /// Its time had come.
    Scheduled,
    /// Somebody triggered it.
    Manual,
    /// Somebody asked for times of the past.
    Backfill,
}

named!(FireKind { Scheduled = "scheduled", Manual = "manual", Backfill = "backfill" });

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FireOutcome {
    /// A task was submitted.
    Started,
    /// A task was submitted and waits its turn behind an earlier one of the schedule.
    Queued,
    /// An earlier run was still going on.
    Skipped,
    /// Nobody was there at its time, and it was too late afterwards.
    Missed,
    /// The task was refused, for example because its crew is gone.
    Failed,
}

named!(FireOutcome { Started = "started", Queued = "queued", Skipped = "skipped", Missed = "missed", Failed = "failed" });

/// The record of one fire. A schedule has one per fire time, however many nodes see that time come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleFire {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// Its owner.
    pub tenant_id: TenantId,
    /// The time the timing gave, without jitter; the moment of the request for manual fires.
    pub fire_time: DateTime<Utc>,
    /// Why.
    pub kind: FireKind,
    /// With which result.
    pub outcome: FireOutcome,
    /// The task it submitted.
    pub task_id: Option<TaskId>,
    /// When this was recorded.
    pub at: DateTime<Utc>,
    /// For people: why it was not started.
    pub reason: Option<String>,
}
