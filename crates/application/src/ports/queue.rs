//! Runs that wait for a worker, and the leases of those that have one.
//!
//! The table of runs is the queue; there is no second place where work could be lost. All instants of leases are
//! the database's.

use std::time::Duration;

use async_trait::async_trait;
use crewd_domain::runs::{CancelRequest, Run, Step, Task};
use crewd_domain::shared::{RunId, TaskId, WorkerId};
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

/// The queue as workers see it.
#[async_trait]
pub trait RunQueue: Send + Sync {
    /// Takes up to `limit` queued runs of any tenant, by priority, then by age. Each is claimed by compare-and-swap:
    /// no two callers get the same run. The lease lasts `lease` from the database's present.
    async fn claim(&self, worker: WorkerId, limit: u32, lease: Duration) -> Result<Vec<ClaimedRun>, StoreError>;

    /// Prolongs all leases of the worker. Returns the runs it still holds: what is missing is lost.
    async fn renew(&self, worker: WorkerId, lease: Duration) -> Result<Vec<RunId>, StoreError>;

    /// Active runs whose lease has expired, or whose worker is one of `dead`.
    async fn lost(&self, dead: &[WorkerId]) -> Result<Vec<LostRun>, StoreError>;

    /// Control inputs that wait for runs of this worker, oldest first.
    async fn controls(&self, worker: WorkerId) -> Result<Vec<ControlItem>, StoreError>;

    /// Workers that hold at least one lease.
    async fn holders(&self) -> Result<Vec<WorkerId>, StoreError>;

    /// How many runs are queued.
    async fn depth(&self) -> Result<u64, StoreError>;
}
