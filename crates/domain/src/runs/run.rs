//! One execution of a task, as a state machine.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::event::{EventDraft, EventKind};
use super::failure::Failure;
use super::status::{Arrow, IncompleteReason, RunStatus, WaitReason};
use crate::shared::{RunId, TaskId, TenantId, Usage, WorkerId};

/// A worker's right to work on a run until a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Who holds it.
    pub worker: WorkerId,
    /// Fencing number: grows by one at each claim; every write carries it.
    pub epoch: u64,
    /// When it ends unless renewed, by the database's clock.
    pub until: DateTime<Utc>,
}

/// How a run is to be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelMode {
    /// Let the current step finish.
    Graceful,
    /// Drop the current step: connections are closed, tools are told to stop.
    Immediate,
}

/// Somebody's wish to end a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequest {
    /// How.
    pub mode: CancelMode,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// Who.
    pub actor: String,
}

/// How a run ended, and what it leaves.
#[derive(Clone, Debug, PartialEq)]
pub enum RunOutcome {
    /// All crew tasks are done.
    Succeeded {
        /// The task's `output`.
        output: Value,
    },
    /// A limit was reached.
    Incomplete {
        /// Which one.
        reason: IncompleteReason,
        /// What was done until then.
        output: Value,
        /// In words.
        failure: Failure,
    },
    /// An error ended it.
    Failed {
        /// Which one.
        failure: Failure,
        /// What was done until then.
        output: Value,
    },
    /// It was cancelled.
    Cancelled {
        /// What was done until then.
        output: Value,
    },
}

/// A change that the table of transitions does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a run cannot go {}", Arrow(*.from, *.to))]
pub struct InvalidTransition {
    /// Where the run stands.
    pub from: RunStatus,
    /// Where it was to go.
    pub to: RunStatus,
}

/// One execution of a task.
///
/// `version` counts transitions: whoever saves a changed run names the version it read, so that of two
/// writers one wins and the other reads again.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What it executes.
    pub task_id: TaskId,
    /// Its owner.
    pub tenant_id: TenantId,
    /// From 1; a retry is a new run.
    pub attempt: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// What it waits for; set exactly while waiting.
    pub waiting_for: Option<WaitReason>,
    /// The right of a worker; set exactly while active.
    pub lease: Option<Lease>,
    /// The fencing number of the last claim; 0 before the first.
    pub epoch: u64,
    /// Counts transitions.
    pub version: u64,
    /// How many workers died on it since a step was last finished.
    pub crash_count: u32,
    /// The wish to end it.
    pub cancel: Option<CancelRequest>,
    /// The task's `output`, set at the end.
    pub output: Option<Value>,
    /// The task's `error`, set at the end.
    pub error: Option<Failure>,
    /// Which limit ended it, if one did.
    pub incomplete: Option<IncompleteReason>,
    /// Sum over its steps, set at the end.
    pub usage: Usage,
    /// Finished steps: set at the end, and when a worker is lost.
    pub steps_done: u32,
    /// Whether the offline model answered any call.
    pub simulated: bool,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl Run {
    /// A new run, ready for a worker, and the event that says so.
    #[must_use]
    pub fn queued(id: RunId, task_id: TaskId, tenant_id: TenantId, now: DateTime<Utc>) -> Self {
        Self {
            id,
            task_id,
            tenant_id,
            attempt: 1,
            status: RunStatus::Queued,
            waiting_for: None,
            lease: None,
            epoch: 0,
            version: 1,
            crash_count: 0,
            cancel: None,
            output: None,
            error: None,
            incomplete: None,
            usage: Usage::default(),
            steps_done: 0,
            simulated: false,
            created_at: now,
            started_at: None,
            finished_at: None,
        }
    }

    /// A worker takes the run; the epoch grows.
    ///
    /// # Errors
    /// Refused unless the run is queued.
    pub fn claim(&mut self, worker: WorkerId, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<Lease, InvalidTransition> {
        self.go(RunStatus::Running)?;
        self.epoch = self.epoch.saturating_add(1);
        let lease = Lease { worker, epoch: self.epoch, until };
        self.lease = Some(lease);
        self.started_at = self.started_at.or(Some(now));
        Ok(lease)
    }

    /// A worker that stops hands the run back; this is no crash.
    ///
    /// # Errors
    /// Refused unless the run is running.
    pub fn hand_back(&mut self) -> Result<(), InvalidTransition> {
        self.go(RunStatus::Queued)?;
        self.lease = None;
        Ok(())
    }

    /// The worker that held the run is dead.
    ///
    /// # Errors
    /// Refused unless the run is running.
    pub fn lose_worker(&mut self) -> Result<(), InvalidTransition> {
        self.hand_back()?;
        self.crash_count = self.crash_count.saturating_add(1);
        Ok(())
    }

    /// The journal holds so many finished steps. Deaths that lie before new progress do not count any more: a long run
    /// may outlive many workers, and only a step that takes down one after the other is a crash loop.
    pub fn note_progress(&mut self, finished_steps: u32) {
        if finished_steps > self.steps_done {
            self.steps_done = finished_steps;
            self.crash_count = 0;
        }
    }

    /// A wish to end it is being carried out by its worker.
    ///
    /// # Errors
    /// Refused unless the run is running or waiting.
    pub fn begin_cancel(&mut self, request: CancelRequest) -> Result<EventDraft, InvalidTransition> {
        self.go(RunStatus::Cancelling)?;
        self.waiting_for = None;
        let data = json!({"mode": request.mode, "reason": request.reason, "actor": request.actor});
        self.cancel = Some(request);
        Ok(EventDraft::of_run(EventKind::TaskCancelling, data))
    }

    /// Ends a run that no worker holds: queued, scheduled or waiting.
    ///
    /// # Errors
    /// Refused while a worker holds the run, and at its end.
    pub fn cancel_unstarted(&mut self, request: CancelRequest, now: DateTime<Utc>) -> Result<EventDraft, InvalidTransition> {
        self.go(RunStatus::Cancelled)?;
        self.waiting_for = None;
        self.finished_at = Some(now);
        let data = json!({"reason": request.reason, "actor": request.actor});
        self.cancel = Some(request);
        Ok(EventDraft::of_run(EventKind::TaskCancelled, data))
    }

    /// The end, as its worker sees it.
    ///
    /// # Errors
    /// Refused unless the run is running, or cancelling where the outcome is a cancel or a failure.
    pub fn finish(
        &mut self,
        outcome: RunOutcome,
        usage: Usage,
        steps_done: u32,
        now: DateTime<Utc>,
    ) -> Result<EventDraft, InvalidTransition> {
        let (status, kind) = match &outcome {
            RunOutcome::Succeeded { .. } => (RunStatus::Succeeded, EventKind::TaskSucceeded),
            RunOutcome::Incomplete { .. } => (RunStatus::Incomplete, EventKind::TaskIncomplete),
            RunOutcome::Failed { .. } => (RunStatus::Failed, EventKind::TaskFailed),
            RunOutcome::Cancelled { .. } => (RunStatus::Cancelled, EventKind::TaskCancelled),
        };
        self.go(status)?;
        self.lease = None;
        self.usage = usage;
        self.steps_done = steps_done;
        self.finished_at = Some(now);
        let data = match outcome {
            RunOutcome::Succeeded { output } => {
                let data = json!({"output": output, "usage": usage});
                self.output = Some(output);
                data
            }
            RunOutcome::Incomplete { reason, output, failure } => {
                let data = json!({"reason": reason, "error": failure, "output": output, "usage": usage});
                self.incomplete = Some(reason);
                self.output = Some(output);
                self.error = Some(failure);
                data
            }
            RunOutcome::Failed { failure, output } => {
                let data = json!({"error": failure, "output": output, "usage": usage});
                self.output = Some(output);
                self.error = Some(failure);
                data
            }
            RunOutcome::Cancelled { output } => {
                let cancel = self.cancel.as_ref();
                let data = json!({
                    "reason": cancel.and_then(|request| request.reason.as_deref()),
                    "actor": cancel.map(|request| request.actor.as_str()),
                    "output": output,
                    "usage": usage,
                });
                self.output = Some(output);
                data
            }
        };
        Ok(EventDraft::of_run(kind, data))
    }

    fn go(&mut self, to: RunStatus) -> Result<(), InvalidTransition> {
        let from = self.status;
        if !from.can_become(to) {
            return Err(InvalidTransition { from, to });
        }
        self.status = to;
        self.version = self.version.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_000_000).unwrap()
    }

    fn run() -> Run {
        Run::queued(RunId::new(Uuid::from_u128(1)), TaskId::new(Uuid::from_u128(2)), TenantId::default_tenant(), now())
    }

    fn cancel() -> CancelRequest {
        CancelRequest { mode: CancelMode::Graceful, reason: Some("enough".into()), actor: "ada".into() }
    }

    #[test]
    fn a_run_is_claimed_once_and_each_claim_raises_the_epoch() {
        let mut run = run();
        let worker = WorkerId::new(Uuid::from_u128(3));
        let first = run.claim(worker, now(), now()).unwrap();
        assert_eq!(first.epoch, 1);
        assert_eq!(run.claim(worker, now(), now()), Err(InvalidTransition { from: RunStatus::Running, to: RunStatus::Running }));
        run.lose_worker().unwrap();
        assert_eq!((run.crash_count, run.lease), (1, None));
        assert_eq!(run.claim(worker, now(), now()).unwrap().epoch, 2);
        run.hand_back().unwrap();
        assert_eq!(run.crash_count, 1, "a drain is no crash");
        run.note_progress(0);
        assert_eq!(run.crash_count, 1);
        run.note_progress(2);
        assert_eq!((run.crash_count, run.steps_done), (0, 2), "what came before new progress does not count");
        run.crash_count = 2;
        run.note_progress(2);
        assert_eq!(run.crash_count, 2, "old progress is none");
    }

    #[test]
    fn the_end_is_final() {
        let mut run = run();
        run.claim(WorkerId::new(Uuid::from_u128(3)), now(), now()).unwrap();
        let event = run.finish(RunOutcome::Succeeded { output: json!({"raw": "x"}) }, Usage::default(), 4, now()).unwrap();
        assert_eq!(event.kind, EventKind::TaskSucceeded);
        assert_eq!(event.data["output"]["raw"], "x");
        let version = run.version;
        assert!(run.begin_cancel(cancel()).is_err());
        assert!(run.cancel_unstarted(cancel(), now()).is_err());
        assert!(run.finish(RunOutcome::Cancelled { output: Value::Null }, Usage::default(), 4, now()).is_err());
        assert_eq!((run.status, run.version), (RunStatus::Succeeded, version), "a refused change changes nothing");
    }

    #[test]
    fn a_cancel_keeps_who_and_why() {
        let mut run = run();
        run.claim(WorkerId::new(Uuid::from_u128(3)), now(), now()).unwrap();
        run.begin_cancel(cancel()).unwrap();
        assert!(
            run.finish(RunOutcome::Succeeded { output: Value::Null }, Usage::default(), 0, now()).is_err(),
            "a run that is being cancelled cannot succeed any more"
        );
        let event = run.finish(RunOutcome::Cancelled { output: json!({"raw": "half"}) }, Usage::default(), 1, now()).unwrap();
        assert_eq!(event.data["reason"], "enough");
        assert_eq!(event.data["actor"], "ada");
        assert_eq!(run.output, Some(json!({"raw": "half"})));
    }

    #[test]
    fn an_unstarted_run_is_cancelled_at_once() {
        let mut run = run();
        let event = run.cancel_unstarted(cancel(), now()).unwrap();
        assert_eq!(event.kind, EventKind::TaskCancelled);
        assert_eq!((run.status, run.finished_at), (RunStatus::Cancelled, Some(now())));
    }
}
