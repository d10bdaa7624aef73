//! Carries a claimed run to its end.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crewd_application::error::ErrorCode;
use crewd_application::ports::StoreError;
use crewd_domain::crews::CrewDefinition;
use crewd_domain::runs::{
    CancelMode, CancelRequest, EventDraft, EventKind, Failure, FailureClass, IncompleteReason, Pause, Run, RunOutcome, RunStatus,
    StepPath, Task, WaitReason,
};
use futures::FutureExt;
use serde_json::json;
use tracing::Instrument;

use super::context::{EngineParts, RunContext};
use super::control::RunControl;
use super::limits::RunRates;
use super::origin::OriginRecord;
use super::stop::{Stop, cut_off};
use crate::crew::{CrewOutput, run_sequential};
use crate::journal::RunJournal;

/// How the work on a run ended, for the worker.
#[derive(Debug)]
pub enum RunEnd {
    /// It reached a terminal state.
    Terminal(RunStatus),
    /// It is queued again for another worker.
    HandedBack,
    /// It waits, without a worker.
    Parked(WaitReason),
    /// It is somebody else's, or will be found by recovery.
    Abandoned(StoreError),
}

/// One claimed run. What it needs only at its beginning and its end lies behind pointers: thousands of runs wait for
/// their models at the same time.
pub struct RunRunner {
    engine: Arc<EngineParts>,
    task: Arc<Task>,
    run: Box<Run>,
    control: Arc<RunControl>,
    journal: Arc<RunJournal>,
    origin: Option<Arc<OriginRecord>>,
}

impl RunRunner {
    /// A runner for a run that this worker holds.
    #[must_use]
    pub fn new(engine: Arc<EngineParts>, task: Task, run: Run, control: Arc<RunControl>, journal: RunJournal) -> Self {
        Self { engine, task: Arc::new(task), run: Box::new(run), control, journal: Arc::new(journal), origin: None }
    }

    /// Tells a fork or a replay where it comes from.
    #[must_use]
    pub fn with_origin(mut self, origin: Option<Arc<OriginRecord>>) -> Self {
        self.origin = origin;
        self
    }

    /// Works until the run ends, is handed back or is lost. `definition` is the pinned one, if it is still there.
    pub async fn run(self, definition: Option<Arc<CrewDefinition>>) -> RunEnd {
        self.announce();
        let output = Arc::new(Mutex::new(CrewOutput::default()));
        let stop = match self.inherit_files().await.and_then(|()| self.prepare(definition)) {
            Err(stop) => Err(stop),
            Ok(crew) => {
                let context = Arc::new(self.context(crew));
                let stop = self.work(&context, &output).await;
                if stop.is_err() {
                    let partial = std::mem::take(&mut *context.partial.lock().unwrap_or_else(PoisonError::into_inner));
                    output.lock().unwrap_or_else(PoisonError::into_inner).partial = partial;
                }
                stop
            }
        };
        let output = std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(self.end(stop, output)).await
    }

    fn announce(&self) {
        let journal = &self.journal;
        let worker = self.run.lease.map(|lease| lease.worker);
        if journal.recorded().is_fresh() {
            journal.say(EventDraft::of_run(EventKind::TaskStarted, json!({"attempt": self.run.attempt, "worker": worker})));
        } else {
            let steps = journal.recorded().finished();
            let reason = match self.run.woken_from {
                _ if self.run.crash_count > 0 => "worker_lost",
                Some(reason) => reason.as_str(),
                None => "handed_over",
            };
            let data = json!({"reason": reason, "steps_done": steps, "worker": worker});
            journal.say(EventDraft::of_run(EventKind::TaskResumed, data));
        }
        journal.recorded().unsaid_answers().for_each(|answer| journal.say(answer));
    }

    /// A run that goes on where another one stopped finds that one's files. A replay touches none.
    async fn inherit_files(&self) -> Result<(), Stop> {
        let Some(parent) = self.run.parent.filter(|_| !self.is_replay() && self.journal.recorded().is_fresh()) else {
            return Ok(());
        };
        let inherited = self.engine.files.inherit(&self.task.tenant_id, parent, self.run.id).await;
        inherited.map_err(|error| {
            tracing::error!(error = %error, "the files of the run before could not be copied");
            Stop::internal("the files of the run before could not be copied; the cause is in the log")
        })
    }

    fn prepare(&self, definition: Option<Arc<CrewDefinition>>) -> Result<Arc<CrewDefinition>, Stop> {
        let missing = || Stop::journal_mismatch(format!("the definition {} is gone", self.task.definition_version));
        let definition = definition.ok_or_else(missing)?;
        for name in definition
            .agents
            .iter()
            .flat_map(|agent| &agent.tools)
            .chain(definition.tasks.iter().flat_map(|t| t.tools.iter().flatten()))
        {
            if self.engine.tools.get(name).is_none() {
                return Err(Stop::journal_mismatch(format!(
                    "the crew uses the tool {name}, which this installation does not have"
                )));
            }
        }
        let overrides = self.task.options.origin.as_ref().map(|origin| &origin.overrides).filter(|own| !own.is_empty());
        let definition = overrides.map_or(definition.clone(), |overrides| Arc::new(overrides.apply(&definition)));
        if self.task.inputs.is_empty() && definition.inputs.is_empty() {
            return Ok(definition);
        }
        definition.render(&self.task.inputs).map(Arc::new).map_err(|error| Stop::user_error(error.to_string()))
    }

    fn context(&self, crew: Arc<CrewDefinition>) -> RunContext {
        RunContext {
            origin: self.origin.clone(),
            engine: self.engine.clone(),
            task: self.task.clone(),
            run_id: self.run.id,
            rates: RunRates::of(&crew),
            crew,
            journal: self.journal.clone(),
            control: self.control.clone(),
            partial: Mutex::new(String::new()),
        }
    }

    /// The crew, under the run's deadline; a panic ends this run and no other.
    async fn work(&self, context: &Arc<RunContext>, output: &Arc<Mutex<CrewOutput>>) -> Result<(), Stop> {
        let span = crewd_telemetry::gen_ai::workflow_span(&self.task.crew);
        let crew = Box::pin(run_sequential(context.clone(), output.clone()).instrument(span));
        let limited = Box::pin(tokio::time::timeout(self.time_left(), crew));
        let guarded = AssertUnwindSafe(limited).catch_unwind();
        match self.control.unless_stopped(guarded).await? {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_elapsed)) => Err(self.deadline_reached()),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
                tracing::error!(panic = text.unwrap_or("without a text"), "the engine met a defect");
                Err(Stop::internal("the engine met a defect; it is in the log"))
            }
        }
    }

    /// The deadline counts from the first start: a run that changed hands does not get more time.
    fn time_left(&self) -> Duration {
        let limit = self.task.deadline_seconds.map_or(self.engine.limits.run_time, |seconds| Duration::from_secs(seconds.into()));
        limit.saturating_sub(self.run.active_time(self.engine.clock.now()))
    }

    fn deadline_reached(&self) -> Stop {
        let limit = self.task.deadline_seconds.map_or(self.engine.limits.run_time.as_secs(), u64::from);
        let failure = Failure::new(
            FailureClass::Timeout,
            ErrorCode::Timeout.as_str(),
            format!("the run took longer than the {limit} s it may take"),
        );
        Stop::Incomplete(IncompleteReason::Deadline, Box::new(failure.with_details(json!({"limit_seconds": limit}))))
    }

    async fn end(mut self, stop: Result<(), Stop>, output: CrewOutput) -> RunEnd {
        let stop = match stop {
            // Whoever cancelled hears that it is cancelled, also when the step they let finish has failed.
            Err(Stop::Failed(_) | Stop::Incomplete(..) | Stop::Waiting(_)) if self.control.cancel_request().is_some() => {
                Err(Stop::Cancelled)
            }
            other => other,
        };
        let outcome = match stop {
            Ok(()) => RunOutcome::Succeeded { output: output.to_json() },
            Err(Stop::Failed(failure)) => RunOutcome::Failed { failure: *failure, output: output.to_json() },
            Err(Stop::Incomplete(reason, failure)) => {
                RunOutcome::Incomplete { reason, failure: *failure, output: output.to_json() }
            }
            Err(Stop::Cancelled) => {
                if let Err(error) = self.begin_cancel().await {
                    return RunEnd::Abandoned(error);
                }
                RunOutcome::Cancelled { output: output.to_json() }
            }
            Err(Stop::ReplayEnded(step)) => match self.end_of_replay(step, &output) {
                Ok(outcome) => outcome,
                Err(error) => return RunEnd::Abandoned(error),
            },
            Err(Stop::Waiting(pause)) => return self.park(*pause).await,
            Err(Stop::Drained) => return self.hand_back().await,
            Err(Stop::Abandoned(error)) => return RunEnd::Abandoned(error),
        };
        match self.finish(outcome).await {
            Ok(status) => RunEnd::Terminal(status),
            Err(error) => RunEnd::Abandoned(error),
        }
    }

    async fn begin_cancel(&mut self) -> Result<(), StoreError> {
        let Some(request) = self.control.cancel_request() else {
            return Err(StoreError::Corrupt("a cancel without a request".to_owned()));
        };
        let expected = self.run.version;
        let event = self.run.begin_cancel(request).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        self.journal.controls_applied(self.control.take_applied());
        self.journal.commit_transition(Run::clone(&self.run), expected, Some(event)).await
    }

    /// What a replay comes to that has used up its journal: where the origin went no further either, the same end.
    fn end_of_replay(&mut self, step: StepPath, output: &CrewOutput) -> Result<RunOutcome, StoreError> {
        let Some(origin) = self.origin.as_deref().map(|record| &record.run) else {
            return Ok(diverged(format!("the run that is replayed is gone; {step} is not in the journal")));
        };
        Ok(match (origin.status, &origin.error) {
            (RunStatus::Failed, Some(failure)) => RunOutcome::Failed { failure: failure.clone(), output: output.to_json() },
            (RunStatus::Incomplete, Some(failure)) => RunOutcome::Incomplete {
                reason: origin.incomplete.unwrap_or(IncompleteReason::Deadline),
                failure: failure.clone(),
                output: output.to_json(),
            },
            (RunStatus::Cancelled, _) => {
                let nobody =
                    || CancelRequest { mode: CancelMode::Graceful, reason: None, actor: "replay".to_owned(), superseded: None };
                let request = origin.cancel.clone().unwrap_or_else(nobody);
                let event = self.run.begin_cancel(request).map_err(|error| StoreError::Corrupt(error.to_string()))?;
                self.journal.say(event);
                RunOutcome::Cancelled { output: output.to_json() }
            }
            _ => diverged(format!("the replay came to {step}, which the run it replays did not do")),
        })
    }

    fn is_replay(&self) -> bool {
        self.task.options.origin.as_ref().is_some_and(|origin| origin.replay)
    }

    /// A replay must come to the same state as its origin.
    fn compare(&self, outcome: RunOutcome, state_hash: &str) -> RunOutcome {
        let expected = self.origin.as_deref().and_then(|record| record.run.state_hash.as_deref());
        match expected {
            Some(expected) if self.is_replay() && expected != state_hash => {
                diverged(format!("the replay came to the state {state_hash}, the run it replays to {expected}"))
            }
            _ => outcome,
        }
    }

    async fn finish(&mut self, outcome: RunOutcome) -> Result<RunStatus, StoreError> {
        let expected = self.run.version;
        let now = self.engine.clock.now();
        let state_hash = self.journal.state_hash(match &outcome {
            RunOutcome::Succeeded { output } => Some(output),
            _ => None,
        });
        let outcome = self.compare(outcome, &state_hash);
        self.run.state_hash = Some(state_hash);
        self.journal.withdraw_questions();
        self.journal.controls_applied(self.control.take_applied());
        self.run.simulated = self.journal.is_simulated();
        self.journal.close_open_steps(&cut_off(&outcome));
        let mut event = self
            .run
            .finish(outcome, self.journal.usage(), self.journal.steps_done(), now)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if self.is_replay()
            && self.run.dead_letter.take().is_some()
            && let Some(data) = event.data.as_object_mut()
        {
            // Nothing waits for a person: the failure is that of the origin, or the answer to whoever asked.
            data.insert("dead_letter".to_owned(), false.into());
        }
        self.journal.commit_transition(Run::clone(&self.run), expected, Some(event)).await?;
        self.observe(now);
        Ok(self.run.status)
    }

    /// Gives up slot and lease until something happens. A question that was answered meanwhile is no reason to wait.
    async fn park(&mut self, pause: Pause) -> RunEnd {
        let pause = self.control.pause_request().unwrap_or(pause);
        if pause.reason != WaitReason::Operator && self.control.was_answered() {
            return self.hand_back().await;
        }
        let (expected, reason) = (self.run.version, pause.reason);
        let Ok(event) = self.run.wait(pause, self.engine.clock.now()) else { return RunEnd::Abandoned(StoreError::Conflict) };
        self.journal.controls_applied(self.control.take_applied());
        match self.journal.commit_transition(Run::clone(&self.run), expected, Some(event)).await {
            Ok(()) => RunEnd::Parked(reason),
            Err(error) => RunEnd::Abandoned(error),
        }
    }

    fn observe(&self, now: chrono::DateTime<chrono::Utc>) {
        let started = self.run.started_at.unwrap_or(self.run.created_at);
        let seconds = (now - started).to_std().unwrap_or_default().as_secs_f64();
        self.engine.metrics.record_crew(&self.task.crew, self.run.status.as_str(), seconds);
        let code = self.run.error.as_ref().map_or("", |failure| failure.code.as_str());
        tracing::info!(status = %self.run.status, seconds, error.code = code, "run ended");
    }

    async fn hand_back(&mut self) -> RunEnd {
        let expected = self.run.version;
        if self.run.hand_back().is_err() {
            return RunEnd::Abandoned(StoreError::Conflict);
        }
        match self.journal.commit_transition(Run::clone(&self.run), expected, None).await {
            Ok(()) => RunEnd::HandedBack,
            Err(error) => RunEnd::Abandoned(error),
        }
    }
}

fn diverged(message: String) -> RunOutcome {
    let failure = Failure::new(FailureClass::JournalMismatch, ErrorCode::Conflict.as_str(), message);
    let failure = failure.with_details(json!({"reason": "replay_diverged"}));
    RunOutcome::Failed { failure, output: serde_json::Value::Null }
}
