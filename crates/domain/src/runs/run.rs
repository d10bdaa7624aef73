//! One execution of a task, as a state machine.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error;

use super::dead_letter::DeadLetter;
use super::event::{EventDraft, EventKind};
use super::failure::Failure;
use super::status::{Arrow, IncompleteReason, RunStatus, WaitReason};
use super::step::StepPath;
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
    /// What takes its place, if anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Superseded>,
}

/// What takes the place of a cancelled run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// The run that takes its place.
    pub by: RunId,
    /// Whether what it has done is dropped.
    pub drops_output: bool,
}

impl CancelRequest {
    /// The wish as events tell it.
    fn facts(&self) -> Map<String, Value> {
        let mut facts = Map::new();
        facts.insert("reason".to_owned(), json!(self.reason));
        facts.insert("actor".to_owned(), json!(self.actor));
        if let Some(superseded) = self.superseded {
            facts.insert("superseded_by".to_owned(), json!(superseded.by));
            facts.insert("drops_output".to_owned(), json!(superseded.drops_output));
        }
        facts
    }

    /// What the cancelled run keeps of its output.
    fn kept(&self, output: Value) -> Value {
        if self.superseded.is_some_and(|superseded| superseded.drops_output) { Value::Null } else { output }
    }
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

/// Why and until when a run is parked.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// What it waits for.
    pub reason: WaitReason,
    /// When somebody has to look at it at the latest: a timer, or the expiry of a question. Without one it waits for
    /// ever.
    pub until: Option<DateTime<Utc>>,
    /// Facts for the event `task.waiting`: an object.
    pub details: Value,
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
    /// The run whose journal this one continues: the one before it of the same task, or that of a fork's origin.
    pub parent: Option<RunId>,
    /// The first step that is not taken over from the parent.
    pub fork_step: Option<StepPath>,
    /// What it waits for; set exactly while waiting.
    pub waiting_for: Option<WaitReason>,
    /// What it waited for last; the next worker says so.
    pub woken_from: Option<WaitReason>,
    /// When somebody has to look at a run that no worker holds: it is due, its question expires, its time in the queue
    /// is over.
    pub wake_at: Option<DateTime<Utc>>,
    /// Since when it waits; set exactly while waiting.
    pub waiting_since: Option<DateTime<Utc>>,
    /// Milliseconds it has waited until now: they do not count against its deadline.
    pub waited_ms: u64,
    /// The step after which it stops by itself until somebody lets it go on.
    pub stop_after: Option<StepPath>,
    /// At most one run with this key of its tenant is worked on at a time.
    pub concurrency_key: Option<String>,
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
    /// SHA-256 sum over all finished steps and the output, set at the end: a replay reaches the same.
    pub state_hash: Option<String>,
    /// Where a failed run stands among the dead letters.
    pub dead_letter: Option<DeadLetter>,
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
            parent: None,
            fork_step: None,
            waiting_for: None,
            woken_from: None,
            wake_at: None,
            waiting_since: None,
            waited_ms: 0,
            stop_after: None,
            concurrency_key: None,
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
            state_hash: None,
            dead_letter: None,
            created_at: now,
            started_at: None,
            finished_at: None,
        }
    }

    /// A new run that is not to begin before an instant.
    #[must_use]
    pub fn scheduled(id: RunId, task_id: TaskId, tenant_id: TenantId, not_before: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let run = Self::queued(id, task_id, tenant_id, now);
        Self { status: RunStatus::Scheduled, wake_at: Some(not_before), ..run }
    }

    /// The time of a scheduled run has come. `queue_end`: when it has waited too long for a worker.
    ///
    /// # Errors
    /// Refused unless the run is scheduled.
    pub fn become_due(&mut self, queue_end: Option<DateTime<Utc>>) -> Result<EventDraft, InvalidTransition> {
        self.go(RunStatus::Queued)?;
        self.wake_at = queue_end;
        Ok(EventDraft::of_run(EventKind::TaskQueued, json!({"attempt": self.attempt, "reason": "due"})))
    }

    /// Its worker parks it: no slot, no lease, no memory until something happens.
    ///
    /// # Errors
    /// Refused unless the run is running.
    pub fn wait(&mut self, pause: Pause, now: DateTime<Utc>) -> Result<EventDraft, InvalidTransition> {
        self.go(RunStatus::Waiting)?;
        self.lease = None;
        self.waiting_for = Some(pause.reason);
        self.woken_from = None;
        self.waiting_since = Some(now);
        self.wake_at = pause.until;
        let mut data = json!({"reason": pause.reason, "until": pause.until.map(instant_text)});
        if let (Value::Object(data), Value::Object(details)) = (&mut data, pause.details) {
            data.extend(details);
        }
        Ok(EventDraft::of_run(EventKind::TaskWaiting, data))
    }

    /// What a waiting run waited for has happened: a worker may take it again.
    ///
    /// # Errors
    /// Refused unless the run is waiting.
    pub fn wake(&mut self, now: DateTime<Utc>) -> Result<(), InvalidTransition> {
        let reason = self.waiting_for;
        self.go(RunStatus::Queued)?;
        self.end_wait(now);
        self.woken_from = reason;
        self.wake_at = None;
        Ok(())
    }

    /// An event is to be written while no worker holds the run: counts as a change, so that of two writers one wins.
    pub const fn touch(&mut self) {
        self.version = self.version.saturating_add(1);
    }

    /// Moves an ended run among the dead letters. Its status stays.
    ///
    /// # Errors
    /// Refused unless the run has failed.
    pub fn file_dead_letter(&mut self, state: DeadLetter) -> Result<(), InvalidTransition> {
        if self.status != RunStatus::Failed {
            return Err(InvalidTransition { from: self.status, to: RunStatus::Failed });
        }
        self.dead_letter = Some(state);
        self.touch();
        Ok(())
    }

    /// Time since its first start that counts against its deadline: without the time it waited.
    #[must_use]
    pub fn active_time(&self, now: DateTime<Utc>) -> Duration {
        let since_start = self.started_at.map_or(TimeDelta::zero(), |start| now - start);
        let waiting = self.waiting_since.map_or(TimeDelta::zero(), |since| now - since);
        let active = (since_start - waiting).to_std().unwrap_or_default();
        active.saturating_sub(Duration::from_millis(self.waited_ms))
    }

    fn end_wait(&mut self, now: DateTime<Utc>) {
        self.waiting_for = None;
        if let Some(since) = self.waiting_since.take() {
            let waited = (now - since).num_milliseconds().max(0).unsigned_abs();
            self.waited_ms = self.waited_ms.saturating_add(waited);
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
        self.wake_at = None;
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
    /// Refused unless the run is running.
    pub fn begin_cancel(&mut self, request: CancelRequest) -> Result<EventDraft, InvalidTransition> {
        self.go(RunStatus::Cancelling)?;
        let mut data = request.facts();
        data.insert("mode".to_owned(), json!(request.mode));
        self.cancel = Some(request);
        Ok(EventDraft::of_run(EventKind::TaskCancelling, Value::Object(data)))
    }

    /// Ends a run that no worker holds: queued, scheduled or waiting.
    ///
    /// # Errors
    /// Refused while a worker holds the run, and at its end.
    pub fn cancel_unstarted(&mut self, request: CancelRequest, now: DateTime<Utc>) -> Result<EventDraft, InvalidTransition> {
        self.go(RunStatus::Cancelled)?;
        self.end_wait(now);
        self.wake_at = None;
        self.finished_at = Some(now);
        let data = request.facts();
        self.cancel = Some(request);
        Ok(EventDraft::of_run(EventKind::TaskCancelled, Value::Object(data)))
    }

    /// The end, as its worker sees it, or as it is decided where no worker holds it.
    ///
    /// # Errors
    /// Refused where the table of transitions has no such arrow.
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
        self.end_wait(now);
        self.wake_at = None;
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
                self.dead_letter = failure.class.is_dead_letter().then_some(DeadLetter::Open);
                let data = json!({"error": failure, "output": output, "usage": usage, "dead_letter": self.dead_letter.is_some()});
                self.output = Some(output);
                self.error = Some(failure);
                data
            }
            RunOutcome::Cancelled { output } => {
                let (mut data, output) = match &self.cancel {
                    Some(request) => (request.facts(), request.kept(output)),
                    None => (Map::new(), output),
                };
                data.insert("output".to_owned(), output.clone());
                data.insert("usage".to_owned(), json!(usage));
                self.output = Some(output);
                Value::Object(data)
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

fn instant_text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests;
