//! Numbering, collecting and committing what a run says and does.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crewd_application::ports::{Change, Clock, Durability, LeaseGuard, RunUpdate, StoreError, UnitOfWork};
use crewd_application::runs::Committer;
use crewd_domain::approvals::Approval;
use crewd_domain::runs::{EventDraft, EventKind, Failure, Run, Step, StepKind, StepPath, StepStatus};
use crewd_domain::shared::{RunId, TaskId, TenantId, Usage};
use crewd_domain::tools::EffectClass;
use serde_json::{Value, json};
use uuid::Uuid;

use super::commits::CommitLine;
use super::digest::StateDigest;
use super::recorded::{Recorded, RecordedSteps};

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
    /// Steps with an intent and without a result.
    open: Vec<Arc<Step>>,
    usage: Usage,
    steps_done: u32,
    simulated: bool,
    digest: StateDigest,
    /// The step after which the run stops by itself has been done.
    stop_reached: bool,
    /// A question was put.
    has_asked: bool,
}

/// The journal of one run, shared by everything that happens in it at once.
pub struct RunJournal {
    tenant: TenantId,
    task_id: TaskId,
    run_id: RunId,
    guard: LeaseGuard,
    commits: CommitLine,
    clock: Arc<dyn Clock>,
    recorded: RecordedSteps,
    stop_after: Option<StepPath>,
    state: Mutex<State>,
}

impl RunJournal {
    /// The journal of a claimed run.
    #[must_use]
    pub fn new(run: &Run, parts: RunJournalParts) -> Self {
        let state = State {
            next_seq: parts.last_seq.saturating_add(1),
            usage: parts.recorded.usage(),
            steps_done: parts.recorded.finished(),
            digest: StateDigest::of(parts.recorded.steps()),
            stop_reached: run.stop_after.as_ref().is_some_and(|path| parts.recorded.has_done(path)),
            ..State::default()
        };
        Self {
            tenant: run.tenant_id.clone(),
            task_id: run.task_id,
            run_id: run.id,
            guard: LeaseGuard { run_id: run.id, epoch: run.epoch },
            commits: CommitLine::new(parts.committer),
            clock: parts.clock,
            recorded: parts.recorded,
            stop_after: run.stop_after.clone(),
            state: Mutex::new(state),
        }
    }

    /// What earlier holders have done.
    #[must_use]
    pub const fn recorded(&self) -> &RecordedSteps {
        &self.recorded
    }

    /// Tokens and calls so far, those of earlier holders included.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.state().usage
    }

    /// Finished steps so far, those of earlier holders included.
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
        if draft.kind == EventKind::CrewTaskCompleted || draft.kind == EventKind::AgentCompleted {
            state.stop_reached |= self.stop_after.is_some() && self.stop_after == draft.step;
        }
        Self::append(&mut state, draft, self.task_id, self.run_id, now);
    }

    /// Writes an intent, without committing it: several may begin together. Commit before you act.
    pub fn intend(&self, intent: StepIntent) -> Arc<Step> {
        let (attempt, idempotency_key) = match self.recorded.find(&intent.path) {
            Recorded::Interrupted(step) => {
                let attempt = step.attempt.saturating_add(1);
                let data = json!({"step_path": intent.path, "attempt": attempt, "supersedes_from_seq": step.seq});
                self.say(EventDraft::of_step(EventKind::StepRestarted, intent.path.clone(), data));
                // Kept also where another run of the task made the call: the other side knows it by this key.
                (attempt, step.idempotency_key)
            }
            Recorded::Nothing | Recorded::Finished(_) => (1, self.idempotency_key(&intent.path)),
        };
        let now = self.clock.now();
        let mut state = self.state();
        let seq = Self::append(&mut state, intent.announcement, self.task_id, self.run_id, now);
        let step = Arc::new(Step {
            run_id: self.run_id,
            task_id: self.task_id,
            idempotency_key,
            reused_from: None,
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
        });
        state.durable = true;
        state.pending.push(Change::SaveStep(Box::new(Step::clone(&step))));
        state.open.push(step.clone());
        step
    }

    /// Asks a person, without committing it: the question goes with the next commit, at the latest with the one that
    /// parks the run.
    pub fn ask(&self, question: Approval) {
        let now = self.clock.now();
        let mut state = self.state();
        state.durable = true;
        state.has_asked = true;
        Self::append(&mut state, question.requested(), self.task_id, self.run_id, now);
        state.pending.push(Change::InsertApproval(Box::new(question)));
    }

    /// The run ends: nobody need answer its questions any more.
    pub fn withdraw_questions(&self) {
        let at = self.clock.now();
        let mut state = self.state();
        if state.has_asked || self.recorded.is_asking() {
            state.pending.push(Change::WithdrawApprovals { run_id: self.run_id, at });
        }
    }

    /// Says in the journal that nobody knows whether an interrupted step has happened.
    pub fn mark_unknown(&self, step: &Step) {
        let step = Step { status: StepStatus::OutcomeUnknown, ..step.clone() };
        let mut state = self.state();
        state.durable = true;
        state.pending.push(Change::SaveStep(Box::new(step)));
    }

    /// Writes a step that takes no time: what a person said. Its result is there at once.
    pub fn settle(&self, intent: StepIntent, output: Value) {
        let now = self.clock.now();
        let mut state = self.state();
        let seq = Self::append(&mut state, intent.announcement, self.task_id, self.run_id, now);
        let step = Step {
            run_id: self.run_id,
            task_id: self.task_id,
            idempotency_key: self.idempotency_key(&intent.path),
            reused_from: None,
            path: intent.path,
            attempt: 1,
            kind: intent.kind,
            name: intent.name,
            agent: intent.agent,
            effect: intent.effect,
            status: StepStatus::Succeeded,
            input_hash: intent.input_hash,
            seq,
            output: Some(output),
            error: None,
            usage: Usage::default(),
            started_at: now,
            finished_at: Some(now),
        };
        self.count(&mut state, &step);
        state.durable = true;
        state.pending.push(Change::SaveStep(Box::new(step)));
    }

    /// Whether the step after which the run is to stop has been done.
    #[must_use]
    pub fn stop_reached(&self) -> Option<&StepPath> {
        self.stop_after.as_ref().filter(|_| self.state().stop_reached)
    }

    /// What the run has come to; `output` is that of a run that came to its end.
    #[must_use]
    pub fn state_hash(&self, output: Option<&Value>) -> String {
        self.state().digest.finish(output)
    }

    /// Writes a result, without committing it: it goes with the next intent, or with [`RunJournal::commit`].
    pub fn record(&self, step: Arc<Step>, result: StepResult) {
        let status = if result.error.is_some() { StepStatus::Failed } else { StepStatus::Succeeded };
        self.close(step, status, result);
    }

    /// Writes the results of all steps that were cut off, because the run ends here. Without it their journal would
    /// say for ever that they are going on.
    pub fn close_open_steps(&self, failure: &Failure) {
        let open = std::mem::take(&mut self.state().open);
        for step in open {
            let (kind, data, usage) = match step.kind {
                StepKind::LlmCall => {
                    (EventKind::LlmFailed, json!({"error": failure}), Usage { llm_calls: 1, ..Usage::default() })
                }
                StepKind::ToolCall | StepKind::Wait => {
                    let error = json!({"kind": "cut_off", "message": failure.message});
                    (
                        EventKind::ToolFailed,
                        json!({"tool": step.name, "error": error}),
                        Usage { tool_calls: 1, ..Usage::default() },
                    )
                }
            };
            // A read can be called failed; of an effect nobody knows whether it happened.
            let status = if step.effect.is_repeatable() { StepStatus::Failed } else { StepStatus::OutcomeUnknown };
            let announcement = EventDraft::of_step(kind, step.path.clone(), data);
            self.close(step, status, StepResult { output: None, error: Some(failure.clone()), usage, announcement });
        }
    }

    fn close(&self, step: Arc<Step>, status: StepStatus, result: StepResult) {
        let now = self.clock.now();
        let mut state = self.state();
        state.open.retain(|open| open.path != step.path);
        let mut step = Arc::unwrap_or_clone(step);
        step.status = status;
        step.output = result.output;
        step.error = result.error;
        step.usage = result.usage;
        step.finished_at = Some(now);
        state.durable = true;
        state.usage += result.usage;
        self.count(&mut state, &step);
        Self::append(&mut state, result.announcement, self.task_id, self.run_id, now);
        state.pending.push(Change::SaveStep(Box::new(step)));
    }

    /// Commits all that is pending, if anything is.
    ///
    /// # Errors
    /// Where the store refuses: [`StoreError::Fenced`] means that the run is somebody else's now.
    pub async fn commit(&self) -> Result<(), StoreError> {
        let turn = self.commits.turn().await?;
        let unit = self.take();
        if unit.changes.is_empty() {
            return Ok(());
        }
        self.commits.commit(turn, unit).await
    }

    /// Commits a transition of the run together with all that is pending; the event is that of the transition.
    ///
    /// # Errors
    /// As for [`RunJournal::commit`].
    pub async fn commit_transition(&self, run: Run, expected_version: u64, event: Option<EventDraft>) -> Result<(), StoreError> {
        let turn = self.commits.turn().await?;
        if let Some(draft) = event {
            self.say(draft);
        }
        let mut unit = self.take();
        unit.durability = Durability::Journal;
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        self.commits.commit(turn, unit).await
    }

    /// Notes in the next commit that orders to the run have been heeded.
    pub fn controls_applied(&self, ids: Vec<Uuid>) {
        if ids.is_empty() {
            return;
        }
        let mut state = self.state();
        let applied_seq = state.next_seq;
        state.durable = true;
        state.pending.push(Change::ApplyControls { run_id: self.run_id, ids, applied_seq });
    }

    /// The key of a step towards the outside: the same for each attempt, another one in each run.
    #[must_use]
    pub fn idempotency_key(&self, path: &StepPath) -> String {
        let tenant = self.tenant.as_str();
        crewd_application::sha256_hex(format!("{tenant}\n{}\n{path}", self.run_id))
    }

    fn count(&self, state: &mut State, step: &Step) {
        state.steps_done = state.steps_done.saturating_add(u32::from(step.status.is_finished()));
        state.digest.add(step);
        state.stop_reached |= self.stop_after.as_ref() == Some(&step.path);
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
