//! Whether a commit that was not confirmed was made after all.
//!
//! A transaction is there in whole or not at all, so that one row of it tells about all of it, if nobody else could have
//! written the same one.

use crewd_application::ports::{Change, ClaimedRun};
use crewd_domain::runs::{Event, Task};
use sea_orm::{DbBackend, DbErr, Statement};

use super::work::{Outcome, Work};
use crate::persistence::dialect::statement;
use crate::persistence::rows::CellWriter;
use crate::persistence::session::Session;

/// A row that the transaction alone would have written.
pub(super) enum Evidence<'work> {
    /// An event: a number of a log is written once, and the instant tells it from another writer's.
    Event(&'work Event),
    /// A task: its id was made for it.
    Task(&'work Task),
    /// A claim: each one has an epoch and a worker of its own.
    Claim(&'work ClaimedRun),
}

impl<'work> Evidence<'work> {
    /// The first such row of the work that was admitted; `None` where there is none.
    pub(super) fn of(work: &'work Work, outcome: &'work Outcome) -> Option<Self> {
        let admitted = work.units.iter().zip(&outcome.units).filter(|(_, result)| result.is_ok());
        let row = admitted.flat_map(|(unit, _)| &unit.changes).find_map(|change| match change {
            Change::AppendEvent(event) => Some(Self::Event(event)),
            Change::InsertTask(task) => Some(Self::Task(task)),
            _ => None,
        });
        row.or_else(|| outcome.claims.iter().flatten().next().map(Self::Claim))
    }

    /// Looks for it.
    pub(super) async fn is_there(&self, session: &Session, backend: DbBackend) -> Result<bool, DbErr> {
        Ok(session.query_one_raw(self.question(backend)).await?.is_some())
    }

    fn question(&self, backend: DbBackend) -> Statement {
        let mut cells = CellWriter::default();
        let sql = match self {
            Self::Event(event) => {
                cells.id(event.task_id.as_uuid());
                cells.number(event.seq);
                cells.id(event.run_id.as_uuid());
                cells.instant(event.at);
                "SELECT 1 FROM run_events e WHERE e.task_id = ? AND e.seq = ? AND e.run_id = ? AND e.ts = ?"
            }
            Self::Task(task) => {
                cells.id(task.id.as_uuid());
                "SELECT 1 FROM tasks t WHERE t.id = ?"
            }
            Self::Claim(claimed) => {
                cells.id(claimed.run.id.as_uuid());
                cells.number(claimed.run.epoch);
                cells.optional_id(claimed.run.lease.as_ref().map(|lease| lease.worker.as_uuid()));
                "SELECT 1 FROM runs r WHERE r.id = ? AND r.epoch = ? AND r.lease_owner = ?"
            }
        };
        statement(backend, sql, cells.into_cells())
    }
}
