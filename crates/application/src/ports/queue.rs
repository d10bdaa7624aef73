//! Runs that wait for a worker, and the leases of those that have one.
//!
//! The table of runs is the queue; there is no second place where work could be lost. All instants of leases are
//! the database's.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_domain::approvals::Approval;
use crewd_domain::runs::{CancelRequest, Priority, Run, Step, Task};
use crewd_domain::shared::{ApprovalId, RunId, TaskId, TenantId, WorkerId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::StoreError;

/// A run this worker now holds, with all it needs to go on.
#[derive(Clone, Debug)]
pub struct ClaimedRun {
    /// What to do.
    pub task: Task,
    /// The run, running, with its lease.
    pub run: Run,
    /// Canonical JSON of the pinned definition; `None` if it is gone.
    pub definition: Option<String>,
    /// What earlier holders have done, in order; empty for a fresh run.
    pub steps: Vec<Step>,
    /// Its questions to people, decided or not, oldest first; empty for a fresh run.
    pub approvals: Vec<Approval>,
    /// Orders that wait for whoever holds the run, oldest first.
    pub controls: Vec<ControlItem>,
    /// The largest number in the task's log.
    pub last_seq: u64,
}

/// What somebody wants from a run that another process may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ControlRequest {
    /// End it.
    Cancel(CancelRequest),
    /// Park it at the next step boundary.
    Pause {
        /// Why, in the caller's words.
        reason: Option<String>,
        /// Who.
        actor: String,
    },
    /// Take back a pause that has not been heeded.
    Resume {
        /// Who.
        actor: String,
    },
    /// A question of the run was answered: whoever works on it must not wait for it.
    Decided {
        /// Which.
        approval: ApprovalId,
    },
    /// A message to the agent at work, at its next step.
    Message {
        /// The text.
        text: String,
        /// Who.
        actor: String,
    },
}

/// A control input on its way to the holder of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlItem {
    /// Its id.
    pub id: Uuid,
    /// The run.
    pub run_id: RunId,
    /// The run's task.
    pub task_id: TaskId,
    /// What is wanted.
    pub request: ControlRequest,
}

/// An active run whose worker is gone: dead, or its lease has expired.
#[derive(Clone, Debug)]
pub struct LostRun {
    /// The run as it was left.
    pub run: Run,
    /// The largest number in the task's log.
    pub last_seq: u64,
}

/// A run that no worker holds and that somebody has to look at.
#[derive(Clone, Debug)]
pub struct DueRun {
    /// The run: scheduled, queued or waiting.
    pub run: Run,
    /// Its task.
    pub task: Task,
    /// Its questions that wait.
    pub pending: Vec<Approval>,
    /// Orders that wait for it.
    pub controls: Vec<ControlItem>,
    /// The largest number in the task's log.
    pub last_seq: u64,
    /// The present by the clock of the database.
    pub now: DateTime<Utc>,
}

/// How much of a tenant is under way, counted up to a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TenantLoad {
    /// Queued and scheduled runs.
    pub queued: u64,
    /// Runs that a worker holds.
    pub active: u64,
}

/// Rules by which the queue is fair. The same in every process of an installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fairness {
    /// Runs of one tenant that are worked on at once, over all workers.
    pub max_active_per_tenant: u32,
    /// After so long in the queue a run moves up one class.
    pub aging: Duration,
}

impl Default for Fairness {
    /// No limit for a tenant; a class up after ten minutes.
    fn default() -> Self {
        Self { max_active_per_tenant: u32::MAX, aging: Duration::from_secs(600) }
    }
}

/// A queued run and what comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePlace {
    /// The run.
    pub run: RunId,
    /// The class it is in now.
    pub priority: Priority,
    /// Runs that would be taken before it at the most.
    pub before: u64,
}

/// The queue as workers see it.
#[async_trait]
pub trait RunQueue: Send + Sync {
    /// Takes up to `limit` queued runs: by class, within a class in turns over the tenants, of one tenant by age. Of
    /// runs with the same concurrency key at most one is worked on. Each is claimed by compare-and-swap: no two callers
    /// get the same run. The lease lasts `lease` from the database's present.
    async fn claim(&self, worker: WorkerId, limit: u32, lease: Duration) -> Result<Vec<ClaimedRun>, StoreError>;

    /// Active runs whose lease has expired, or whose worker is one of `dead`.
    async fn lost(&self, dead: &[WorkerId]) -> Result<Vec<LostRun>, StoreError>;

    /// Control inputs that wait for runs of this worker, oldest first.
    async fn controls(&self, worker: WorkerId) -> Result<Vec<ControlItem>, StoreError>;

    /// Workers that hold at least one lease.
    async fn holders(&self) -> Result<Vec<WorkerId>, StoreError>;

    /// Runs without a worker that somebody has to look at, longest overdue first: scheduled ones whose time has come,
    /// queued ones that waited too long, waiting ones whose timer or question has expired or that an order waits for (messages are none: they are for the
    /// next model call).
    async fn due(&self, limit: u32) -> Result<Vec<DueRun>, StoreError>;

    /// How many queued runs would be taken before this one at the most, counted up to `limit`; `None` if it is not
    /// queued.
    async fn position(&self, tenant: &TenantId, run_id: RunId, limit: u32) -> Result<Option<u64>, StoreError>;

    /// All queued runs of a tenant with their `position`, in the order in which they would be taken: one question for many
    /// askers. `None` where `limit` or more come before one of them.
    async fn line(&self, tenant: &TenantId, limit: u32) -> Result<Option<Vec<QueuePlace>>, StoreError>;

    /// What a tenant has under way, each count ending at `limit`.
    async fn load(&self, tenant: &TenantId, limit: u32) -> Result<TenantLoad, StoreError>;

    /// Moves queued runs that are older than the aging time up one class; how many.
    async fn age(&self) -> Result<u64, StoreError>;

    /// How many runs are queued.
    async fn depth(&self) -> Result<u64, StoreError>;
}

/// The heartbeat. Apart from the queue, because it is called on a thread of its own and must not wait behind anything
/// that the rest of the process does.
#[async_trait]
pub trait LeaseRenewal: Send + Sync {
    /// Prolongs all leases of the worker. Returns the runs it still holds: what is missing is lost.
    async fn renew(&self, worker: WorkerId, lease: Duration) -> Result<Vec<RunId>, StoreError>;
}
