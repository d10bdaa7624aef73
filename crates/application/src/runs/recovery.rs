//! Runs whose worker is gone are handed to the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use crewd_domain::runs::{Failure, FailureClass, Run, RunOutcome, RunStatus};
use crewd_domain::shared::WorkerId;
use serde_json::json;
use tokio::time::Instant;

use super::committer::Committer;
use super::remains::Remains;
use crate::error::{ErrorCode, Result};
use crate::ports::{Change, Clock, LostRun, RunQueries, RunQueue, RunUpdate, StoreError, UnitOfWork, WorkSignal, WorkerPresence};

/// After so many workers died on it without finishing a step, a run is not given to another one.
pub const MAX_CRASHES: u32 = 8;

/// For so long a dead worker must have been without runs before it is forgotten: a claim that it had sent may take effect
/// a moment after its death.
const LAST_CLAIMS: Duration = Duration::from_secs(1);

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
    /// Dead workers without runs, and since when they are known as such.
    without_runs: Mutex<BTreeMap<WorkerId, Instant>>,
}

impl RecoveryService {
    /// A service over its parts.
    #[must_use]
    pub const fn new(parts: RecoveryParts) -> Self {
        Self { parts, without_runs: Mutex::new(BTreeMap::new()) }
    }

    /// One sweep: expired leases, and workers that died on this machine. Several nodes may sweep at once: each run is
    /// moved by one of them. Returns how many this one moved.
    ///
    /// # Errors
    /// Where the database does not answer; the next sweep goes on.
    pub async fn sweep(&self) -> Result<usize> {
        self.move_lost(&self.parts.presence.dead()).await
    }

    /// As [`RecoveryService::sweep`], if a worker died on this machine; else the database is asked nothing, so that every
    /// process may look often. Only processes of the same machine see such a death before the lease expires.
    ///
    /// # Errors
    /// Where the database does not answer; the next look goes on.
    pub async fn look_for_dead(&self) -> Result<usize> {
        let dead = self.parts.presence.dead();
        if dead.is_empty() { Ok(0) } else { self.move_lost(&dead).await }
    }

    async fn move_lost(&self, dead: &[WorkerId]) -> Result<usize> {
        let found = self.parts.queue.lost(dead).await?;
        let holders: BTreeSet<WorkerId> = found.iter().filter_map(|lost| lost.run.lease).map(|lease| lease.worker).collect();
        let mut moved = 0;
        for lost in found {
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
        self.forget_without_runs(dead.iter().copied().filter(|worker| !holders.contains(worker)));
        Ok(moved)
    }

    /// Forgets those that have had no runs for long enough. Until then any process can find their runs at once, also when
    /// this one dies.
    fn forget_without_runs(&self, idle: impl Iterator<Item = WorkerId>) {
        let now = Instant::now();
        let mut known = self.without_runs.lock().unwrap_or_else(PoisonError::into_inner);
        let since: BTreeMap<_, _> = idle.map(|worker| (worker, known.get(&worker).copied().unwrap_or(now))).collect();
        let (past, young): (BTreeMap<_, _>, _) = since.into_iter().partition(|(_, since)| now - *since >= LAST_CLAIMS);
        *known = young;
        drop(known);
        if !past.is_empty() {
            self.parts.presence.forget(&past.into_keys().collect::<Vec<_>>());
        }
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
