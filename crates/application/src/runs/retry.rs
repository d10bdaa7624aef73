//! Trying an ended task again.

use std::sync::Arc;

use crewd_domain::runs::{DeadLetter, EventDraft, EventKind, Run, RunStatus, StepPath};
use crewd_domain::shared::{RunId, TaskId};
use serde_json::json;

use super::once::Once;
use super::service::TaskService;
use super::submit::{IdempotencyKey, Submitted};
use super::takeover::{Journal, Takeover};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{Change, RunUpdate, TaskView, UnitOfWork};

/// Where a further run takes up the work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RetryFrom {
    /// At what kept the run before from going on: everything that was finished stays.
    #[default]
    FailedStep,
    /// At the beginning: nothing stays.
    Start,
    /// At the first step at or below this path: it and everything after it is done again.
    Step(StepPath),
}

impl RetryFrom {
    /// As it stands in requests and events.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::FailedStep => "failed_step",
            Self::Start => "start",
            Self::Step(path) => path.as_str(),
        }
    }
}

impl TaskService {
    /// Gives an ended task a further run. Finished steps that are taken over are neither run nor paid again; a call of
    /// unknown outcome is not repeated either: a person is asked about it.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` unless the task is failed, incomplete or cancelled; `validation_failed` for a step
    /// that the journal does not have.
    pub async fn retry(
        &self,
        context: &RequestContext,
        id: TaskId,
        from: &RetryFrom,
        key: Option<IdempotencyKey>,
    ) -> Result<Submitted> {
        let once = Once { route: format!("POST /api/v1/tasks/{id}/retry"), key };
        if let Some(answer) = self.answered_before(context, &once).await? {
            return Ok(answer);
        }
        let view = self.get(context, id).await?;
        let unit = self.retry_unit(&view, from).await?;
        self.commit_once(context, &once, unit, id).await
    }

    /// A further run of a task; of two at the same moment one is committed.
    pub(super) async fn retry_unit(&self, view: &TaskView, from: &RetryFrom) -> Result<UnitOfWork> {
        let TaskView { task, run: old, .. } = view;
        if !matches!(old.status, RunStatus::Failed | RunStatus::Incomplete | RunStatus::Cancelled) {
            let message = format!("the task is {}; only a failed, incomplete or cancelled one can be tried again", old.status);
            return Err(Error::new(ErrorCode::InvalidState, message).because("not_retryable"));
        }
        let takeover = self.takeover(view, from).await?;
        let now = self.parts.clock.now();
        let mut run = Run::queued(RunId::new(self.parts.ids.next_id()), task.id, task.tenant_id.clone(), now);
        run.attempt = old.attempt.saturating_add(1);
        run.parent = Some(old.id);
        run.fork_step.clone_from(&takeover.fork_step);
        run.concurrency_key.clone_from(&old.concurrency_key);
        run.wake_at = task.options.queue_timeout_seconds.map(|seconds| now + chrono::TimeDelta::seconds(seconds.into()));
        run.steps_done = takeover.finished();
        let data = json!({
            "crew": task.crew, "definition_version": task.definition_version, "priority": task.priority, "attempt": run.attempt,
            "from": from.as_str(), "fork_step": run.fork_step, "parent_run_id": old.id, "steps_reused": run.steps_done,
        });
        let seq = self.parts.queries.last_seq(&task.tenant_id, task.id).await?.saturating_add(1);
        let event = EventDraft::of_run(EventKind::TaskQueued, data).number(seq, task.id, run.id, now);
        let mut unit = UnitOfWork::new(task.tenant_id.clone());
        unit.push(Change::InsertRun(Box::new(run.clone())));
        unit.push(Change::SetCurrentRun { task_id: task.id, run_id: run.id, expected: old.id });
        for step in takeover.for_next_run(&run) {
            unit.push(Change::SaveStep(Box::new(step)));
        }
        unit.push(Change::AppendEvent(Arc::new(event)));
        if old.dead_letter == Some(DeadLetter::Open) {
            unit.push(filed(old, DeadLetter::Redriven)?);
        }
        Ok(unit)
    }

    async fn takeover(&self, view: &TaskView, from: &RetryFrom) -> Result<Takeover> {
        let journal = Journal::read(&*self.parts.queries, view).await?;
        if view.task.options.origin.as_ref().is_some_and(|origin| origin.replay) {
            return Ok(journal.results());
        }
        match from {
            RetryFrom::FailedStep => Ok(journal.up_to_failure()),
            RetryFrom::Start => Ok(journal.nothing()),
            RetryFrom::Step(path) => journal.before(path).ok_or_else(|| Error::validation(vec![unknown_step("/from")])),
        }
    }
}

/// The problem with a step that is not in the journal.
pub(super) fn unknown_step(pointer: &str) -> FieldProblem {
    FieldProblem::new(pointer, "the journal of the task's current run has no such step; GET …/steps shows it")
}

/// A failed run moved among the dead letters.
pub(super) fn filed(run: &Run, state: DeadLetter) -> Result<Change> {
    let mut run = run.clone();
    let expected_version = run.version;
    run.file_dead_letter(state).map_err(|error| {
        Error::new(ErrorCode::InvalidState, "the task is no dead letter").because("no_dead_letter").caused_by(error)
    })?;
    Ok(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })))
}
