//! What a new run takes over from the journal of an ended one.

use std::collections::HashSet;

use crewd_domain::runs::{EventKind, FailureClass, IncompleteReason, Run, RunStatus, Step, StepKind, StepPath, StepStatus, Task};
use crewd_domain::shared::{RunId, Usage};

use crate::ports::{EventQuery, RunQueries, StoreError, TaskView};

/// More crew tasks than any crew may have.
const MAX_CREW_TASKS: u32 = 10_000;

/// The journal of a run in the order in which it was written, and what it says about the run.
pub(super) struct Journal {
    run: Run,
    steps: Vec<Step>,
    /// Crew tasks that are done.
    done: HashSet<StepPath>,
}

/// Steps that a new run begins with, and the first one that it does itself.
#[derive(Debug, PartialEq)]
pub(super) struct Takeover {
    /// In order, as the old run has them.
    pub(super) steps: Vec<Step>,
    /// The first step that is done anew; none if everything is taken over or there is nothing.
    pub(super) fork_step: Option<StepPath>,
}

impl Journal {
    /// The journal of the task's current run.
    pub(super) async fn read(queries: &dyn RunQueries, view: &TaskView) -> Result<Self, StoreError> {
        let TaskView { task, run, .. } = view;
        let steps = steps_in_order(queries, task, run.id).await?;
        let kinds = vec![EventKind::CrewTaskCompleted];
        let query = EventQuery { task_id: task.id, after: 0, kinds, limit: MAX_CREW_TASKS };
        let completed = queries.events(&task.tenant_id, &query).await?.into_iter().filter(|event| event.run_id == run.id);
        Ok(Self { run: run.clone(), steps, done: completed.filter_map(|event| event.step).collect() })
    }

    /// Everything but what has to be done again for the run to get further than it got.
    pub(super) fn up_to_failure(&self) -> Takeover {
        let mut again: HashSet<&StepPath> =
            self.steps.iter().filter(|step| self.is_done_again(step)).map(|step| &step.path).collect();
        let is_open = self.steps.iter().any(|step| !step.status.is_finished());
        if again.is_empty() && !is_open && self.is_the_models_fault() {
            again.extend(self.last_turn().map(|step| &step.path));
        }
        self.split(|_, step| !again.contains(&step.path))
    }

    /// Everything before the first step at or below a path; nothing if there is no such step.
    pub(super) fn before(&self, path: &StepPath) -> Option<Takeover> {
        let place = self.steps.iter().position(|step| step.path.is_within(path))?;
        let split = self.split(|index, step| index < place && !self.is_done_again(step));
        Some(Takeover { fork_step: self.steps.get(place).map(|step| step.path.clone()), ..split })
    }

    /// Nothing: all is done again.
    pub(super) fn nothing(&self) -> Takeover {
        self.split(|_, _| false)
    }

    /// All results. What was cut off has none.
    pub(super) fn results(&self) -> Takeover {
        let results = self.split(|_, step| step.status.is_finished() && !is_cut_off(step));
        Takeover { fork_step: None, ..results }
    }

    fn split(&self, keeps: impl Fn(usize, &Step) -> bool) -> Takeover {
        let (mut steps, mut fork_step) = (Vec::new(), None);
        for (index, step) in self.steps.iter().enumerate() {
            if keeps(index, step) {
                steps.push(step.clone());
            } else if fork_step.is_none() {
                fork_step = Some(step.path.clone());
            }
        }
        Takeover { steps, fork_step }
    }

    /// Whether a step stands in the way: it was cut off, or it is the failed model call that its agent ended with. A
    /// call of unknown outcome is kept as it is: a person is asked about it.
    fn is_done_again(&self, step: &Step) -> bool {
        match step.status {
            StepStatus::Started | StepStatus::OutcomeUnknown => step.effect.is_repeatable(),
            StepStatus::Succeeded => false,
            StepStatus::Failed => is_cut_off(step) || (step.kind == StepKind::LlmCall && self.is_last_of_agent(step)),
        }
    }

    fn is_last_of_agent(&self, step: &Step) -> bool {
        let Some(agent) = step.path.parent() else { return true };
        let last = self.steps.iter().rev().find(|other| other.path.is_within(&agent));
        last.is_some_and(|last| last.path == step.path)
    }

    /// Whether the run ended because of what a model answered, though no single call failed.
    fn is_the_models_fault(&self) -> bool {
        let class = self.run.error.as_ref().map(|failure| failure.class);
        match self.run.status {
            RunStatus::Failed => matches!(class, Some(FailureClass::ProviderError | FailureClass::ToolError)),
            RunStatus::Incomplete => self.run.incomplete == Some(IncompleteReason::Steps),
            _ => false,
        }
    }

    /// The last model call of the last crew task that is not done, with the tool calls that it asked for.
    fn last_turn(&self) -> impl Iterator<Item = &Step> {
        let is_open = |step: &&Step| !self.done.iter().any(|done| step.path.is_within(done));
        let turn = self.steps.iter().rev().filter(is_open).find(|step| step.kind == StepKind::LlmCall).map(|step| &step.path);
        self.steps.iter().filter(move |step| turn.is_some_and(|turn| step.path.is_within(turn)))
    }
}

/// The journal of a run of a task, first step first.
pub(super) async fn steps_in_order(queries: &dyn RunQueries, task: &Task, run: RunId) -> Result<Vec<Step>, StoreError> {
    let mut steps = queries.steps(&task.tenant_id, run).await?;
    if task.options.origin.is_some() {
        // The numbers of steps that came with the fork are from another log; those steps were first.
        let own: HashSet<RunId> = queries.runs_of(&task.tenant_id, task.id).await?.iter().map(|run| run.id).collect();
        steps.sort_by_key(|step| (step.reused_from.is_none_or(|run| own.contains(&run)), step.seq));
    }
    Ok(steps)
}

impl Takeover {
    /// The rows of a further run of the same task.
    pub(super) fn for_next_run(self, run: &Run) -> Vec<Step> {
        self.steps.into_iter().map(|step| taken_over(step, run)).collect()
    }

    /// The rows of the first run of a child task. Their numbers say their order only: they stand in no log of the child.
    pub(super) fn for_child(self, run: &Run, any_input: bool) -> Vec<Step> {
        let numbered = (1_u64..).zip(self.steps);
        let own = numbered.map(|(seq, step)| Step { seq, ..taken_over(step, run) });
        let input = |step: Step| if any_input { Step { input_hash: Step::ANY_INPUT.to_owned(), ..step } } else { step };
        own.map(input).collect()
    }

    /// How many results are taken over.
    pub(super) fn finished(&self) -> u32 {
        let finished = self.steps.iter().filter(|step| step.status.is_finished()).count();
        u32::try_from(finished).unwrap_or(u32::MAX)
    }
}

/// A step in its new run. It was paid in the run that did it.
fn taken_over(step: Step, run: &Run) -> Step {
    let reused_from = Some(step.reused_from.unwrap_or(step.run_id));
    Step { run_id: run.id, task_id: run.task_id, reused_from, usage: Usage::default(), ..step }
}

fn is_cut_off(step: &Step) -> bool {
    let kind = step.error.as_ref().and_then(|failure| failure.details.get("kind"));
    kind.and_then(serde_json::Value::as_str) == Some("cut_off")
}
