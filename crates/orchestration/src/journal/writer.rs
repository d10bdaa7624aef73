//! Numbering, collecting and committing what a run says and does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crewd_application::ports::{Change, Clock, Durability, LeaseGuard, RunUpdate, StoreError, UnitOfWork};
use crewd_application::runs::Committer;
use crewd_domain::runs::{EventDraft, EventKind, Failure, Run, Step, StepKind, StepPath, StepStatus};
use crewd_domain::shared::{RunId, TaskId, TenantId, Usage};
use crewd_domain::tools::EffectClass;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tracing::Instrument;

use super::recorded::{Recorded, RecordedSteps};

/// Pauses between attempts to write while the database does not answer; about 15 s in all, one lease.
const RETRY_WAITS: [Duration; 6] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// What a journal writes with.
pub struct RunJournalParts {
    /// Persist, then publish.
    pub committer: Committer,
    /// Times of events and steps.
    pub clock: Arc<dyn Clock>,
    /// What was done before.
    pub recorded: RecordedSteps,
    /// The largest number in the task's log.
    pub last_seq: u64,
}

/// What is about to be done.
#[derive(Clone, Debug)]
pub struct StepIntent {
    /// Where.
    pub path: StepPath,
    /// What kind of thing.
    pub kind: StepKind,
    /// The model or the tool.
    pub name: String,
    /// The agent's name in the crew.
    pub agent: String,
    /// What recovery may do with it.
    pub effect: EffectClass,
    /// SHA-256 of the input.
    pub input_hash: String,
    /// The event that announces it.
    pub announcement: EventDraft,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// The result as it is read back by recovery.
    pub output: Option<Value>,
    /// The error, if it failed.
    pub error: Option<Failure>,
    /// What it used.
    pub usage: Usage,
    /// The event that says so.
    pub announcement: EventDraft,
}

#[derive(Debug, Default)]
struct State {
    next_seq: u64,
    pending: Vec<Change>,
    /// Whether anything pending must survive a loss of power.
    durable: bool,
    usage: Usage,
    steps_done: u32,
    simulated: bool,
}

/// The journal of one run, shared by everything that happens in it at once.
pub struct RunJournal {
    tenant: TenantId,
    task_id: TaskId,
    run_id: RunId,
    guard: LeaseGuard,
    committer: Committer,
    clock: Arc<dyn Clock>,
    recorded: RecordedSteps,
    state: Mutex<State>,
    /// Held from taking what is pending until it is committed: commits keep the order of numbers.
    committing: Arc<tokio::sync::Mutex<()>>,
}

impl RunJournal {
    /// The journal of a claimed run.
    #[must_use]
    pub fn new(run: &Run, parts: RunJournalParts) -> Self {
        Self {
            tenant: run.tenant_id.clone(),
            task_id: run.task_id,
            run_id: run.id,
            guard: LeaseGuard { run_id: run.id, epoch: run.epoch },
            committer: parts.committer,
            clock: parts.clock,
            recorded: parts.recorded,
            state: Mutex::new(State { next_seq: parts.last_seq.saturating_add(1), ..State::default() }),
            committing: Arc::new(tokio::sync::Mutex::new(())),
        }
    }

    /// What earlier holders have done.
    #[must_use]
    pub const fn recorded(&self) -> &RecordedSteps {
        &self.recorded
    }

    /// Tokens and calls so far, those of earlier holders included as far as the run has come.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.state().usage
    }

    /// Finished steps so far.
    #[must_use]
    pub fn steps_done(&self) -> u32 {
        self.state().steps_done
    }

    /// Whether the offline model answered any call so far.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.state().simulated
    }

    /// Notes that the offline model answered.
    pub fn mark_simulated(&self) {
        self.state().simulated = true;
    }

    /// Says something. It is committed with the next commit. Structural events that are in the log already are not
    /// said again.
    pub fn say(&self, draft: EventDraft) {
        if self.recorded.has_said(draft.kind, draft.step.as_ref()) {
            return;
        }
        let now = self.clock.now();
        let mut state = self.state();
        state.durable |= !draft.kind.is_delta();
        Self::append(&mut state, draft, self.task_id, self.run_id, now);
    }

    /// What the journal knows of a step; a finished one is counted.
    #[must_use]
    pub fn find(&self, path: &StepPath) -> Recorded {
        let found = self.recorded.find(path);
        if let Recorded::Finished(step) = &found {
            let mut state = self.state();
            state.usage += step.usage;
            state.steps_done = state.steps_done.saturating_add(1);
        }
        found
    }

    /// Writes an intent, without committing it: several may begin together. Commit before you act.
    pub fn intend(&self, intent: StepIntent) -> Step {
        let attempt = match self.recorded.find(&intent.path) {
            Recorded::Interrupted(step) => {
                let data = serde_json::json!({"step_path": intent.path, "attempt": step.attempt.saturating_add(1), "supersedes_from_seq": step.seq});
                self.say(EventDraft::of_step(EventKind::StepRestarted, intent.path.clone(), data));
                step.attempt.saturating_add(1)
            }
            Recorded::Nothing | Recorded::Finished(_) => 1,
        };
        let now = self.clock.now();
        let mut state = self.state();
        let seq = Self::append(&mut state, intent.announcement, self.task_id, self.run_id, now);
        let step = Step {
            run_id: self.run_id,
            task_id: self.task_id,
            idempotency_key: self.idempotency_key(&intent.path),
            path: intent.path,
            attempt,
            kind: intent.kind,
            name: intent.name,
            agent: intent.agent,
            effect: intent.effect,
            status: StepStatus::Started,
            input_hash: intent.input_hash,
            seq,
            output: None,
            error: None,
            usage: Usage::default(),
            started_at: now,
            finished_at: None,
        };
        state.durable = true;
        state.pending.push(Change::SaveStep(Box::new(step.clone())));
        step
    }

    /// Writes a result, without committing it: it goes with the next intent, or with [`RunJournal::commit`].
    pub fn record(&self, mut step: Step, result: StepResult) {
        let now = self.clock.now();
        step.status = if result.error.is_some() { StepStatus::Failed } else { StepStatus::Succeeded };
        step.output = result.output;
        step.error = result.error;
        step.usage = result.usage;
        step.finished_at = Some(now);
        let mut state = self.state();
        state.durable = true;
        state.usage += result.usage;
        state.steps_done = state.steps_done.saturating_add(1);
        Self::append(&mut state, result.announcement, self.task_id, self.run_id, now);
        state.pending.push(Change::SaveStep(Box::new(step)));
    }

    /// Commits all that is pending, if anything is.
    ///
    /// # Errors
    /// Where the store refuses: [`StoreError::Fenced`] means that the run is somebody else's now.
    pub async fn commit(&self) -> Result<(), StoreError> {
        let order = self.committing.clone().lock_owned().await;
        let unit = self.take();
        if unit.changes.is_empty() {
            return Ok(());
        }
        self.commit_unit(unit, order).await
    }

    /// Commits a transition of the run together with all that is pending; the event is that of the transition.
    ///
    /// # Errors
    /// As for [`RunJournal::commit`].
    pub async fn commit_transition(&self, run: Run, expected_version: u64, event: Option<EventDraft>) -> Result<(), StoreError> {
        let order = self.committing.clone().lock_owned().await;
        if let Some(draft) = event {
            self.say(draft);
        }
        let mut unit = self.take();
        unit.durability = Durability::Journal;
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        self.commit_unit(unit, order).await
    }

    /// Commits in a task of its own: whoever waits may be dropped (a cancel, a deadline), and numbers that are
    /// given out must reach the log all the same.
    async fn commit_unit(&self, unit: UnitOfWork, order: OwnedMutexGuard<()>) -> Result<(), StoreError> {
        let committer = self.committer.clone();
        let work = async move {
            let outcome = commit_patiently(&committer, unit).await;
            drop(order);
            outcome
        };
        let task = tokio::spawn(work.in_current_span());
        task.await.unwrap_or_else(|_| Err(StoreError::Corrupt("the commit met a defect".to_owned())))
    }

    /// Notes in the next commit that the control inputs of the run have been heeded.
    pub fn controls_applied(&self) {
        let mut state = self.state();
        let applied_seq = state.next_seq;
        state.durable = true;
        state.pending.push(Change::ApplyControls { run_id: self.run_id, applied_seq });
    }

    /// The key of a step towards the outside: the same for each attempt, another one in each run.
    #[must_use]
    pub fn idempotency_key(&self, path: &StepPath) -> String {
        let tenant = self.tenant.as_str();
        crewd_application::sha256_hex(format!("{tenant}\n{}\n{path}", self.run_id))
    }

    fn take(&self) -> UnitOfWork {
        let mut state = self.state();
        let mut unit = UnitOfWork::new(self.tenant.clone());
        unit.guard(self.guard);
        unit.changes = std::mem::take(&mut state.pending);
        unit.durability = if std::mem::take(&mut state.durable) { Durability::Journal } else { Durability::Delta };
        unit
    }

    fn append(state: &mut State, draft: EventDraft, task_id: TaskId, run_id: RunId, now: chrono::DateTime<chrono::Utc>) -> u64 {
        let seq = state.next_seq;
        state.next_seq = seq.saturating_add(1);
        state.pending.push(Change::AppendEvent(Arc::new(draft.number(seq, task_id, run_id, now))));
        seq
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
