//! One commit of a run after the other, each carried to its end.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{StoreError, UnitOfWork};
use crewd_application::runs::Committer;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tracing::Instrument;

/// Pauses between attempts to write while the database does not answer; about 15 s in all, one lease.
const RETRY_WAITS: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// What the line remembers from one commit to the next.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// A commit failed. Its numbers are missing in the log for good, so nothing may follow it.
    broken: bool,
}

/// Held from taking what is pending until it is committed: commits keep the order of numbers.
pub(super) type Turn = OwnedMutexGuard<Line>;

/// Where the commits of a run queue up.
pub(super) struct CommitLine {
    committer: Committer,
    line: Arc<Mutex<Line>>,
}

impl CommitLine {
    pub(super) fn new(committer: Committer) -> Self {
        Self { committer, line: Arc::default() }
    }

    /// Waits for the commits before this one.
    ///
    /// # Errors
    /// Where one of them failed, whether or not anybody waited for it.
    pub(super) async fn turn(&self) -> Result<Turn, StoreError> {
        let turn = self.line.clone().lock_owned().await;
        if turn.broken { Err(StoreError::Corrupt("an earlier commit of this run failed".to_owned())) } else { Ok(turn) }
    }

    /// Commits in a task of its own: whoever waits may be dropped (a cancel, a deadline), and numbers that are given
    /// out must reach the log all the same.
    pub(super) async fn commit(&self, mut turn: Turn, unit: UnitOfWork) -> Result<(), StoreError> {
        let committer = self.committer.clone();
        let work = async move {
            // Stays so if the commit fails or panics.
            turn.broken = true;
            let outcome = commit_patiently(&committer, unit).await;
            turn.broken = outcome.is_err();
            outcome
        };
        let task = tokio::spawn(work.in_current_span());
        task.await.unwrap_or_else(|_| Err(StoreError::Corrupt("the commit met a defect".to_owned())))
    }
}

/// A database that does not answer for a while (locked, full, restarted) must not cost what has been done: the same
/// unit is tried again before the run is given up and left to recovery.
async fn commit_patiently(committer: &Committer, unit: UnitOfWork) -> Result<(), StoreError> {
    for wait in RETRY_WAITS {
        match committer.commit(unit.clone()).await {
            Err(error) if error.is_retryable() => {
                tracing::warn!(error = %error, "the journal could not be written; it is tried again");
                tokio::time::sleep(wait).await;
            }
            outcome => return outcome,
        }
    }
    committer.commit(unit).await
}
