//! The write side: units of work.
//!
//! A unit collects changes and is committed whole or not at all. It is a plain value, so it can never be held open
//! across a model, tool or network call, and the adapter may commit many units in one transaction (group commit).

use std::sync::Arc;

use async_trait::async_trait;
use crewd_domain::runs::{Event, Run, Step, Task};
use crewd_domain::shared::{RunId, TenantId};
use thiserror::Error;

use super::queries::{IdempotencyRecord, StoredCrew};
use super::queue::ControlItem;

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
    /// A line of a task's log. Its number must be free.
    AppendEvent(Arc<Event>),
    /// A definition by content hash. One that is there already is left alone, unless this one comes over the API: then
    /// it becomes the newest of its name.
    SaveCrew(Box<StoredCrew>),
    /// The memory of a first answer. Its key must be free, else [`StoreError::Duplicate`].
    InsertIdempotencyKey(Box<IdempotencyRecord>),
    /// A control input for whoever holds the run.
    InsertControl(Box<ControlItem>),
    /// Control inputs of a run that have been applied, up to and with this id.
    ApplyControls {
        /// The run.
        run_id: RunId,
        /// Number of the event that says so.
        applied_seq: u64,
    },
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
