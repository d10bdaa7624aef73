//! Failed tasks that wait for a person.

use chrono::{DateTime, Utc};
use crewd_domain::runs::{DeadLetter, FailureClass, ForkEffects, ForkOverrides, Origin};
use crewd_domain::shared::TaskId;
use serde_json::{Map, Value};

use super::child::Child;
use super::fork::{Difference, Possible, from_the_start, origin_of};
use super::once::Once;
use super::retry::{RetryFrom, filed, unknown_step};
use super::service::TaskService;
use super::submit::{IdempotencyKey, Submitted};
use super::takeover::Journal;
use crate::attempts::Attempts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{TaskFilter, TaskPage, TaskView, UnitOfWork};

/// Tasks read at a time.
const PAGE: u32 = 200;

/// Which dead letters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeadLetterFilter {
    /// Only tasks of this crew.
    pub crew: Option<String>,
    /// Only failures of this class.
    pub class: Option<FailureClass>,
    /// Only tasks accepted at or after this instant.
    pub created_after: Option<DateTime<Utc>>,
    /// Only tasks accepted before this instant.
    pub created_before: Option<DateTime<Utc>>,
}

/// How a dead letter is tried again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Redrive {
    /// Where the work is taken up.
    pub from: RetryFrom,
    /// Inputs that replace those of the task. A task is never changed: with them the work goes on in a child task.
    pub edited_input: Map<String, Value>,
}

/// What came of an action on many tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BulkAnswer {
    /// How many were found, up to the limit.
    pub matched: usize,
    /// For how many it was done.
    pub done: usize,
    /// The others, with the code of the error.
    pub failed: Vec<(TaskId, ErrorCode)>,
}

impl TaskService {
    /// Dead letters that nobody has dealt with, newest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn dead_letters(
        &self,
        context: &RequestContext,
        filter: &DeadLetterFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<TaskPage> {
        let filter = TaskFilter {
            dead_letter: Some(DeadLetter::Open),
            crew: filter.crew.clone(),
            failure_class: filter.class,
            created_after: filter.created_after,
            created_before: filter.created_before,
            ..TaskFilter::default()
        };
        self.list(context, &filter, before, limit).await
    }

    /// A dead letter, also one that was discarded.
    ///
    /// # Errors
    /// `not_found`, also for a task that is none.
    pub async fn dead_letter(&self, context: &RequestContext, id: TaskId) -> Result<TaskView> {
        let view = self.parts.queries.task(&context.tenant, id).await?;
        view.filter(|view| view.run.dead_letter.is_some()).ok_or_else(|| Error::not_found("dead letter"))
    }

    /// Tries a dead letter again: by a further run of its task, or with edited inputs in a child task.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` with the reason `no_dead_letter`; `validation_failed` for a step that does not exist
    /// and for inputs that do not fit.
    pub async fn redrive(
        &self,
        context: &RequestContext,
        id: TaskId,
        request: &Redrive,
        key: Option<IdempotencyKey>,
    ) -> Result<Submitted> {
        let once = Once { route: format!("POST /api/v1/dead-letters/{id}/redrive"), key };
        if let Some(answer) = self.answered_before(context, &once).await? {
            return Ok(answer);
        }
        let view = self.get(context, id).await?;
        if view.run.dead_letter != Some(DeadLetter::Open) {
            return Err(no_dead_letter());
        }
        let (unit, created) = if request.edited_input.is_empty() {
            (self.retry_unit(&view, &request.from).await?, id)
        } else {
            self.edited_unit(context, &view, request).await?
        };
        self.commit_once(context, &once, unit, created).await
    }

    /// Says that a dead letter need not be tried again. Idempotent.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` with the reason `no_dead_letter`.
    pub async fn discard(&self, context: &RequestContext, id: TaskId) -> Result<TaskView> {
        let mut attempts = Attempts::default();
        while attempts.next().await {
            let view = self.get(context, id).await?;
            match view.run.dead_letter {
                Some(DeadLetter::Discarded) => return Ok(view),
                Some(DeadLetter::Open) => {}
                Some(DeadLetter::Redriven) | None => return Err(no_dead_letter()),
            }
            let mut unit = UnitOfWork::new(context.tenant.clone());
            unit.push(filed(&view.run, DeadLetter::Discarded)?);
            match self.parts.committer.commit(unit).await {
                Ok(()) => return self.get(context, id).await,
                // Somebody else has dealt with it: look again.
                Err(crate::ports::StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(ErrorCode::Conflict, "the task changes too fast; try again"))
    }

    /// Tries up to `limit` dead letters again.
    ///
    /// # Errors
    /// Where the database does not answer at the beginning; what fails later stands in the answer.
    pub async fn redrive_all(
        &self,
        context: &RequestContext,
        filter: &DeadLetterFilter,
        from: &RetryFrom,
        limit: usize,
    ) -> Result<BulkAnswer> {
        let request = Redrive { from: from.clone(), edited_input: Map::new() };
        let ids = self.matching(context, filter, limit).await?;
        let mut answer = BulkAnswer { matched: ids.len(), ..BulkAnswer::default() };
        for id in ids {
            let outcome = self.redrive(context, id, &request, None).await;
            answer.note(id, outcome.err().as_ref());
        }
        Ok(answer)
    }

    /// Discards up to `limit` dead letters.
    ///
    /// # Errors
    /// As for [`TaskService::redrive_all`].
    pub async fn discard_all(&self, context: &RequestContext, filter: &DeadLetterFilter, limit: usize) -> Result<BulkAnswer> {
        let ids = self.matching(context, filter, limit).await?;
        let mut answer = BulkAnswer { matched: ids.len(), ..BulkAnswer::default() };
        for id in ids {
            let outcome = self.discard(context, id).await;
            answer.note(id, outcome.err().as_ref());
        }
        Ok(answer)
    }

    async fn matching(&self, context: &RequestContext, filter: &DeadLetterFilter, limit: usize) -> Result<Vec<TaskId>> {
        let (mut ids, mut before) = (Vec::new(), None);
        while ids.len() < limit {
            let missing = u32::try_from(limit.saturating_sub(ids.len())).unwrap_or(PAGE);
            let page = self.dead_letters(context, filter, before, missing.min(PAGE)).await?;
            ids.extend(page.items.iter().map(|view| view.task.id));
            before = page.next_before;
            if before.is_none() {
                break;
            }
        }
        Ok(ids)
    }

    /// A child task with other inputs; its origin is dealt with.
    async fn edited_unit(&self, context: &RequestContext, view: &TaskView, request: &Redrive) -> Result<(UnitOfWork, TaskId)> {
        let journal = Journal::read(&*self.parts.queries, view).await?;
        let takeover = match &request.from {
            RetryFrom::FailedStep => Some(journal.up_to_failure()),
            RetryFrom::Start => Some(from_the_start(&journal)),
            RetryFrom::Step(path) => journal.before(path),
        };
        let mut problems = Vec::new();
        if takeover.is_none() {
            problems.push(unknown_step("/from"));
        }
        let overrides = ForkOverrides { inputs: request.edited_input.clone(), ..ForkOverrides::default() };
        let difference = Difference { overrides: &overrides, definition_version: None, inputs_at: "/edited_input" };
        let possible = self.check_difference(context, view, &difference, &mut problems).await?;
        let (Some(takeover), Some(Possible { inputs, definition }), true) = (takeover, possible, problems.is_empty()) else {
            return Err(Error::validation(problems));
        };
        let origin = origin_of(view);
        let overrides = overrides.on_top_of(&origin.overrides);
        let origin = Origin { from_step: takeover.fork_step.clone(), effects: ForkEffects::Execute, overrides, ..origin };
        let (mut unit, child) = self.child_unit(context, view, Child { origin, takeover, inputs, definition, any_input: true });
        unit.push(filed(&view.run, DeadLetter::Redriven)?);
        Ok((unit, child))
    }
}

impl BulkAnswer {
    fn note(&mut self, id: TaskId, error: Option<&Error>) {
        match error {
            None => self.done = self.done.saturating_add(1),
            Some(error) => self.failed.push((id, error.code)),
        }
    }
}

fn no_dead_letter() -> Error {
    Error::new(ErrorCode::InvalidState, "the task is no dead letter that waits").because("no_dead_letter")
}
