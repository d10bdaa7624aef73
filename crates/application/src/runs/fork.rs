//! Child tasks: forks and replays.

use crewd_domain::runs::{ForkEffects, ForkOverrides, Origin, StepPath};
use crewd_domain::shared::TaskId;
use serde_json::{Map, Value};

use super::child::Child;
use super::once::Once;
use super::overrides::OverrideCheck;
use super::retry::unknown_step;
use super::service::TaskService;
use super::submit::{IdempotencyKey, Submitted};
use super::takeover::{Journal, Takeover};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{CatalogEntry, TaskView};

/// A fork as the client wants it; types have been checked, names have not.
#[derive(Clone, Debug, PartialEq)]
pub struct ForkTask {
    /// The first step that is done anew: a step of the journal, or an agent or crew task with steps.
    pub from_step: StepPath,
    /// What is different.
    pub overrides: ForkOverrides,
    /// Another version of the crew.
    pub definition_version: Option<String>,
    /// What tools may do.
    pub effects: ForkEffects,
}

/// What a child does differently, and where that stands in the request.
pub(super) struct Difference<'a> {
    pub(super) overrides: &'a ForkOverrides,
    pub(super) definition_version: Option<&'a str>,
    pub(super) inputs_at: &'static str,
}

/// A difference that was found to be possible.
pub(super) struct Possible {
    pub(super) inputs: Map<String, Value>,
    pub(super) definition: Option<CatalogEntry>,
}

impl TaskService {
    /// Makes a child task that takes over all that lies before a step and goes on from there.
    ///
    /// # Errors
    /// `not_found`; `validation_failed` with everything wrong at once, a step that does not exist among it.
    pub async fn fork(
        &self,
        context: &RequestContext,
        id: TaskId,
        request: ForkTask,
        key: Option<IdempotencyKey>,
    ) -> Result<Submitted> {
        let once = Once { route: format!("POST /api/v1/tasks/{id}/fork"), key };
        if let Some(answer) = self.answered_before(context, &once).await? {
            return Ok(answer);
        }
        let view = self.get(context, id).await?;
        let takeover = Journal::read(&*self.parts.queries, &view).await?.before(&request.from_step);
        let mut problems = Vec::new();
        if takeover.is_none() {
            problems.push(unknown_step("/from_step"));
        }
        let version = request.definition_version.as_deref();
        let difference =
            Difference { overrides: &request.overrides, definition_version: version, inputs_at: "/overrides/inputs" };
        let possible = self.check_difference(context, &view, &difference, &mut problems).await?;
        let (Some(takeover), Some(Possible { inputs, definition }), true) = (takeover, possible, problems.is_empty()) else {
            return Err(Error::validation(problems));
        };
        let any_input = !request.overrides.is_empty() || definition.is_some();
        let origin = origin_of(&view);
        let overrides = request.overrides.on_top_of(&origin.overrides);
        let origin = Origin { from_step: takeover.fork_step.clone(), effects: request.effects, overrides, ..origin };
        let (unit, child) = self.child_unit(context, &view, Child { origin, takeover, inputs, definition, any_input });
        self.commit_once(context, &once, unit, child).await
    }

    /// Makes a child task in which every result comes from the journal: it calls no model and no tool and must reach the
    /// same state.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` unless the task has ended.
    pub async fn replay_task(&self, context: &RequestContext, id: TaskId, key: Option<IdempotencyKey>) -> Result<Submitted> {
        let once = Once { route: format!("POST /api/v1/tasks/{id}/replay"), key };
        if let Some(answer) = self.answered_before(context, &once).await? {
            return Ok(answer);
        }
        let view = self.get(context, id).await?;
        if !view.run.status.is_terminal() {
            let message = format!("the task is {}; only one that has ended can be replayed", view.run.status);
            return Err(Error::new(ErrorCode::InvalidState, message).because("not_ended"));
        }
        let takeover = Journal::read(&*self.parts.queries, &view).await?.results();
        let origin = Origin { replay: true, ..origin_of(&view) };
        let inputs = view.task.inputs.clone();
        let child = Child { origin, takeover, inputs, definition: None, any_input: false };
        let (unit, child) = self.child_unit(context, &view, child);
        self.commit_once(context, &once, unit, child).await
    }

    /// The inputs and the definition of a child, or what is wrong with its difference.
    pub(super) async fn check_difference(
        &self,
        context: &RequestContext,
        view: &TaskView,
        difference: &Difference<'_>,
        problems: &mut Vec<FieldProblem>,
    ) -> Result<Option<Possible>> {
        let task = &view.task;
        let mut inputs = task.inputs.clone();
        inputs.extend(difference.overrides.inputs.clone());
        if difference.overrides.is_empty() && difference.definition_version.is_none() {
            return Ok(Some(Possible { inputs, definition: None }));
        }
        let version = difference.definition_version.unwrap_or(&task.definition_version);
        let entry = match self.parts.crews.resolve(context, &task.crew, Some(version)).await {
            Ok(entry) => entry,
            Err(error) if error.code == ErrorCode::NotFound && difference.definition_version.is_some() => {
                problems.push(FieldProblem::new("/overrides/definition_version", "the crew has no such version"));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let check = OverrideCheck {
            crew: &entry.definition,
            overrides: difference.overrides,
            inputs: &inputs,
            given: &task.inputs,
            inputs_at: difference.inputs_at,
        };
        problems.extend(check.problems());
        let is_other = *entry.version != *task.definition_version;
        Ok(Some(Possible { inputs, definition: is_other.then_some(entry) }))
    }
}

/// A child of the task's current run: what made that one different makes its child different, too.
pub(super) fn origin_of(view: &TaskView) -> Origin {
    Origin {
        task_id: view.task.id,
        run_id: view.run.id,
        from_step: None,
        effects: ForkEffects::default(),
        overrides: view.task.options.origin.as_ref().map(|origin| origin.overrides.clone()).unwrap_or_default(),
        replay: false,
        dated: view.task.dated(),
    }
}

/// The whole journal done anew begins here.
pub(super) fn from_the_start(journal: &Journal) -> Takeover {
    let nothing = journal.nothing();
    let fork_step = nothing.fork_step.clone().or_else(|| Some(StepPath::crew_task(0)));
    Takeover { fork_step, ..nothing }
}
