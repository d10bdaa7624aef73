//! The write side: units of work.
//!
//! A unit collects changes and is committed whole or not at all. It is a plain value, so it can never be held open
//! across a model, tool or network call, and the adapter may commit many units in one transaction (group commit).

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_domain::approvals::Approval;
use crewd_domain::runs::{Event, Run, Step, Task};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use crewd_domain::webhooks::WebhookEndpoint;
use thiserror::Error;
use uuid::Uuid;

use super::queries::{IdempotencyRecord, StoredCrew};
use super::queue::ControlItem;
use super::schedules::{StoredFire, StoredSchedule};

/// How soon a commit must survive what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Pieces of streams: survives a crash of the process, may be lost with the power.
    Delta,
    /// Everything else: survives a loss of power.
    Journal,
}

/// "Only if I still hold this run": checked in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseGuard {
    /// The run.
    pub run_id: RunId,
    /// The epoch of the writer's lease.
    pub epoch: u64,
}

/// A changed run and the version it was read at.
#[derive(Clone, Debug)]
pub struct RunUpdate {
    /// The run after its change; `run.version` is larger than `expected_version`.
    pub run: Run,
    /// The version before: another one in the database means [`StoreError::Conflict`].
    pub expected_version: u64,
}

/// One change of a unit.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new task.
    InsertTask(Box<Task>),
    /// A new run.
    InsertRun(Box<Run>),
    /// A transition of a run, by compare-and-swap on version and epoch.
    UpdateRun(Box<RunUpdate>),
    /// A journal row: inserted, or replaced whole where run and path are there already.
    SaveStep(Box<Step>),
    /// A line of a task's log. Its number must be free. If endpoints of the tenant may want to be told of it, it is
    /// put into the outbox in the same transaction.
    AppendEvent(Arc<Event>),
    /// A definition by content hash. One that is there already is left alone, unless this one comes over the API: then
    /// it becomes the newest of its name.
    SaveCrew(Box<StoredCrew>),
    /// The memory of a first answer. Its key must be free, else [`StoreError::Duplicate`].
    InsertIdempotencyKey(Box<IdempotencyRecord>),
    /// A control input for whoever holds the run. A run that has ended means [`StoreError::Conflict`]; orders that a run
    /// has not heeded by its end are dropped with it.
    InsertControl(Box<ControlItem>),
    /// Control inputs of a run that have been applied.
    ApplyControls {
        /// The run.
        run_id: RunId,
        /// Which of them.
        ids: Vec<Uuid>,
        /// Number of the event that says so.
        applied_seq: u64,
    },
    /// A further run becomes the one whose state the task shows. Another current run than `expected` means
    /// [`StoreError::Conflict`].
    SetCurrentRun {
        /// The task.
        task_id: TaskId,
        /// The new run, inserted by the same unit.
        run_id: RunId,
        /// The run it follows.
        expected: RunId,
    },
    /// A new question to a person.
    InsertApproval(Box<Approval>),
    /// An answer or an expiry, by compare-and-swap on the version: another one means [`StoreError::Conflict`].
    UpdateApproval(Box<ApprovalUpdate>),
    /// All questions of a run that still wait are withdrawn: it has ended.
    WithdrawApprovals {
        /// The run.
        run_id: RunId,
        /// When.
        at: DateTime<Utc>,
    },
    /// A business key is taken. It must be free, or held by the task that is to be replaced, else
    /// [`StoreError::Duplicate`] with [`DEDUP_KEY`].
    InsertDedupKey(Box<DedupRecord>),
    /// A new address that is told of events.
    InsertWebhook(Box<WebhookEndpoint>),
    /// A fire of a schedule, once for each fire time: a second one means [`StoreError::Duplicate`] with
    /// [`SCHEDULE_FIRE`]. One that came to no task gives way to one that has a task, so that a missed time can be made good.
    InsertScheduleFire(Box<StoredFire>),
    /// A schedule by compare-and-swap on its version: another one means [`StoreError::Conflict`].
    UpdateSchedule(Box<StoredSchedule>),
}

/// Name of a taken business key in [`StoreError::Duplicate`].
pub const DEDUP_KEY: &str = "dedup_key";
/// Name of a taken fire time in [`StoreError::Duplicate`].
pub const SCHEDULE_FIRE: &str = "schedule_fire";

/// A changed question and the version it was read at.
#[derive(Clone, Debug)]
pub struct ApprovalUpdate {
    /// The question after its change; `approval.version` is larger than `expected_version`.
    pub approval: Approval,
    /// The version before.
    pub expected_version: u64,
}

/// A business key of a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct DedupRecord {
    /// Scope, together with the key.
    pub tenant_id: TenantId,
    /// The client's key, 1 to 255 characters.
    pub key: String,
    /// The task that holds it.
    pub task_id: TaskId,
    /// Until when it holds it; `None` while the task is not done.
    pub expires_at: Option<DateTime<Utc>>,
    /// The task whose hold has ended and that is replaced, if there is one.
    pub replaces: Option<TaskId>,
}

/// Why a unit was not committed. Nothing of it is in the database.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A run was changed by somebody else; read again and decide again.
    #[error("the run was changed meanwhile")]
    Conflict,
    /// The lease is no longer ours; stop all work on the run.
    #[error("the lease is lost")]
    Fenced,
    /// A unique key is taken (an idempotency key, an event number).
    #[error("the key is taken: {0}")]
    Duplicate(String),
    /// The database does not answer; the same unit may be committed later.
    #[error("the database does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row cannot be read back.
    #[error("a stored value cannot be read: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Changes that belong together. Dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct UnitOfWork {
    /// Whose rows: no change of another tenant can be added.
    pub tenant: TenantId,
    /// What must still be true.
    pub guards: Vec<LeaseGuard>,
    /// What is to be written, in order.
    pub changes: Vec<Change>,
    /// How soon it must survive what.
    pub durability: Durability,
}

impl UnitOfWork {
    /// An empty unit that survives a loss of power once committed.
    #[must_use]
    pub const fn new(tenant: TenantId) -> Self {
        Self { tenant, guards: Vec::new(), changes: Vec::new(), durability: Durability::Journal }
    }

    /// Demands that a lease is still held.
    pub fn guard(&mut self, guard: LeaseGuard) {
        if !self.guards.contains(&guard) {
            self.guards.push(guard);
        }
    }

    /// Adds a change.
    pub fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// The events of the unit, to be published after its commit.
    pub fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.changes.iter().filter_map(|change| match change {
            Change::AppendEvent(event) => Some(event),
            _ => None,
        })
    }
}

/// Commits units. One adapter a database.
#[async_trait]
pub trait Store: Send + Sync {
    /// Commits a unit whole, or nothing of it. Returns after the commit has the unit's durability. Publishes nothing.
    ///
    /// # Errors
    /// See [`StoreError`]; after any error nothing of the unit is stored.
    async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError>;
}
