//! Runs whose worker is gone are handed to the others.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crewd_domain::runs::{Failure, FailureClass, Run, RunOutcome, RunStatus};
use serde_json::json;

use super::committer::Committer;
use super::remains::Remains;
use crate::error::{ErrorCode, Result};
use crate::ports::{Change, Clock, LostRun, RunQueries, RunQueue, RunUpdate, StoreError, UnitOfWork, WorkSignal, WorkerPresence};

/// After so many workers died on it without finishing a step, a run is not given to another one.
pub const MAX_CRASHES: u32 = 8;

/// What the service works with.
pub struct RecoveryParts {
    /// Finds lost runs.
    pub queue: Arc<dyn RunQueue>,
    /// Reads what ended runs leave.
    pub queries: Arc<dyn RunQueries>,
    /// Finds dead workers at once on this machine.
    pub presence: Arc<dyn WorkerPresence>,
    /// Persist, then publish.
    pub committer: Committer,
    /// Wakes workers.
    pub signal: Arc<dyn WorkSignal>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Puts runs of dead workers back into the queue.
pub struct RecoveryService {
    parts: RecoveryParts,
}

impl RecoveryService {
    /// A service over its parts.
    #[must_use]
    pub const fn new(parts: RecoveryParts) -> Self {
        Self { parts }
    }

    /// One sweep. Several nodes may sweep at once: each run is moved by one of them. Returns how many this one moved.
    ///
    /// # Errors
    /// Where the database does not answer; the next sweep goes on.
    pub async fn sweep(&self) -> Result<usize> {
        let holders = self.parts.queue.holders().await?;
        let dead = self.parts.presence.dead_among(&holders);
        let mut moved = 0;
        for lost in self.parts.queue.lost(&dead).await? {
            if let Some(unit) = release(&*self.parts.queries, lost, true, self.parts.clock.now()).await? {
                match self.parts.committer.commit(unit).await {
                    Ok(()) => moved += 1,
                    // Somebody else was faster.
                    Err(StoreError::Conflict | StoreError::Duplicate(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if moved > 0 {
            self.parts.signal.notify();
        }
        Ok(moved)
    }
}

/// What becomes of a run that nobody works on any more: it is queued again, or ends where it was being cancelled or
/// where too many workers died on it. `crashed` tells whether this counts as a death. `None` if the run is not active.
///
/// # Errors
/// Where the database does not answer.
pub async fn release(
    queries: &dyn RunQueries,
    LostRun { mut run, last_seq }: LostRun,
    crashed: bool,
    now: DateTime<Utc>,
) -> std::result::Result<Option<UnitOfWork>, StoreError> {
    let expected_version = run.version;
    if crashed {
        let steps = queries.steps(&run.tenant_id, run.id).await?;
        let finished = steps.iter().filter(|step| step.status.is_finished()).count();
        run.note_progress(u32::try_from(finished).unwrap_or(u32::MAX));
    }
    let mut unit = UnitOfWork::new(run.tenant_id.clone());
    let allowed = if let Some(failure) = end_of(&run, crashed) {
        let mut remains = Remains::read(queries, &run).await?;
        for step in remains.closed_steps(&failure, now) {
            unit.push(Change::SaveStep(Box::new(step)));
        }
        let output = remains.output;
        let outcome = match run.status {
            RunStatus::Cancelling => RunOutcome::Cancelled { output },
            _ => RunOutcome::Failed { failure, output },
        };
        run.finish(outcome, remains.usage, remains.steps_done, now).map(|draft| {
            let event = draft.number(last_seq.saturating_add(1), run.task_id, run.id, now);
            unit.push(Change::AppendEvent(Arc::new(event)));
        })
    } else if crashed {
        run.lose_worker()
    } else {
        run.hand_back()
    };
    if allowed.is_err() {
        return Ok(None);
    }
    unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
    Ok(Some(unit))
}

/// Why a lost run ends, if it does not go on.
fn end_of(run: &Run, crashed: bool) -> Option<Failure> {
    if run.status == RunStatus::Cancelling {
        let message = "cut off: the task was cancelled";
        return Some(Failure::new(FailureClass::UserError, ErrorCode::InvalidState.as_str(), message));
    }
    if !crashed || run.crash_count.saturating_add(1) < MAX_CRASHES {
        return None;
    }
    let message = format!("{MAX_CRASHES} workers died on the same step of this run");
    let failure = Failure::new(FailureClass::CrashLoop, ErrorCode::Internal.as_str(), message);
    Some(failure.with_details(json!({"reason": "worker_crash_loop"})))
}
