//! Ending a run that no worker holds.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crewd_domain::runs::{CancelRequest, EventDraft, Failure, FailureClass, Run, RunOutcome};

use super::remains::Remains;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Change, RunQueries, RunUpdate, UnitOfWork};

/// A run as it was read, and the next number of its task's log.
pub(super) struct Unheld<'a> {
    pub(super) queries: &'a dyn RunQueries,
    pub(super) run: Run,
    pub(super) next_seq: u64,
    pub(super) now: DateTime<Utc>,
}

impl Unheld<'_> {
    /// Adds the changes that cancel it. What it has done is kept; its questions are withdrawn.
    ///
    /// # Errors
    /// `invalid_state` where it cannot be cancelled; where the database does not answer.
    pub(super) async fn cancel(mut self, unit: &mut UnitOfWork, request: CancelRequest) -> Result<()> {
        let expected_version = self.run.version;
        let draft = if self.run.started_at.is_none() {
            self.run.cancel_unstarted(request, self.now)
        } else {
            let mut remains = Remains::read(self.queries, &self.run).await?;
            let cut = Failure::new(FailureClass::UserError, ErrorCode::InvalidState.as_str(), "the task was cancelled");
            for step in remains.closed_steps(&cut, self.now) {
                unit.push(Change::SaveStep(Box::new(step)));
            }
            self.run.cancel = Some(request);
            let outcome = RunOutcome::Cancelled { output: remains.output };
            self.run.finish(outcome, remains.usage, remains.steps_done, self.now)
        };
        let draft = draft.map_err(|error| refused(error, "the task cannot be cancelled in its state"))?;
        self.write(unit, expected_version, draft);
        Ok(())
    }

    /// Adds the changes that fail it. What it has done is kept.
    ///
    /// # Errors
    /// `invalid_state` where it cannot fail; where the database does not answer.
    pub(super) async fn fail(mut self, unit: &mut UnitOfWork, failure: Failure) -> Result<()> {
        let expected_version = self.run.version;
        let remains = Remains::read(self.queries, &self.run).await?;
        let outcome = RunOutcome::Failed { failure, output: remains.output };
        let draft = self.run.finish(outcome, remains.usage, remains.steps_done, self.now);
        let draft = draft.map_err(|error| refused(error, "the task cannot fail in its state"))?;
        self.write(unit, expected_version, draft);
        Ok(())
    }

    fn write(self, unit: &mut UnitOfWork, expected_version: u64, draft: EventDraft) {
        let Self { run, next_seq, now, .. } = self;
        unit.push(Change::AppendEvent(Arc::new(draft.number(next_seq, run.task_id, run.id, now))));
        unit.push(Change::WithdrawApprovals { run_id: run.id, at: now });
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
    }
}

fn refused(error: crewd_domain::runs::InvalidTransition, message: &str) -> Error {
    Error::new(ErrorCode::InvalidState, message).caused_by(error)
}
