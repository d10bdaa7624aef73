//! A new task that goes on from the journal of another one.

use std::sync::Arc;

use crewd_domain::runs::{EventDraft, EventKind, Origin, Run, Task, TaskOptions};
use crewd_domain::shared::{RunId, TaskId};
use serde_json::{Map, Value, json};

use super::service::TaskService;
use super::takeover::Takeover;
use crate::context::RequestContext;
use crate::ports::{CatalogEntry, Change, TaskView, UnitOfWork};

/// What a child task is made of.
pub(super) struct Child {
    pub(super) origin: Origin,
    pub(super) takeover: Takeover,
    pub(super) inputs: Map<String, Value>,
    /// The definition, where it is not that of the origin.
    pub(super) definition: Option<CatalogEntry>,
    /// Whether prompts and inputs may differ from those that the steps were journaled with.
    pub(super) any_input: bool,
}

impl TaskService {
    /// The rows of a child task.
    pub(super) fn child_unit(&self, context: &RequestContext, parent: &TaskView, child: Child) -> (UnitOfWork, TaskId) {
        let Child { origin, takeover, inputs, definition, any_input } = child;
        let now = self.parts.clock.now();
        let id = TaskId::new(self.parts.ids.next_id());
        let mut run = Run::queued(RunId::new(self.parts.ids.next_id()), id, context.tenant.clone(), now);
        run.parent = Some(origin.run_id);
        run.fork_step.clone_from(&takeover.fork_step);
        run.steps_done = takeover.finished();
        let old = &parent.task;
        run.wake_at = old.options.queue_timeout_seconds.map(|seconds| now + chrono::TimeDelta::seconds(seconds.into()));
        let task = Task {
            id,
            tenant_id: context.tenant.clone(),
            crew: old.crew.clone(),
            definition_version: definition
                .as_ref()
                .map_or_else(|| old.definition_version.clone(), |entry| entry.version.to_string()),
            priority: old.priority,
            inputs,
            metadata: old.metadata.clone(),
            deadline_seconds: old.deadline_seconds,
            budget: old.budget,
            options: TaskOptions {
                queue_timeout_seconds: old.options.queue_timeout_seconds,
                step_timeout_seconds: old.options.step_timeout_seconds,
                origin: Some(origin),
                ..TaskOptions::default()
            },
            traceparent: context.traceparent.clone(),
            request_id: context.request_id.clone(),
            current_run: run.id,
            created_at: now,
        };
        let event = queued(&task, &run).number(1, id, run.id, now);
        let mut unit = UnitOfWork::new(context.tenant.clone());
        if let Some(entry) = &definition {
            unit.push(Change::SaveCrew(Box::new(self.parts.crews.stored(&context.tenant, entry))));
        }
        unit.push(Change::InsertTask(Box::new(task)));
        unit.push(Change::InsertRun(Box::new(run.clone())));
        for step in takeover.for_child(&run, any_input) {
            unit.push(Change::SaveStep(Box::new(step)));
        }
        unit.push(Change::AppendEvent(Arc::new(event)));
        (unit, id)
    }
}

fn queued(task: &Task, run: &Run) -> EventDraft {
    let origin = task.options.origin.as_ref().map(|origin| {
        json!({
            "task_id": origin.task_id, "run_id": origin.run_id, "from_step": origin.from_step, "effects": origin.effects,
            "replay": origin.replay,
        })
    });
    let data = json!({
        "crew": task.crew, "definition_version": task.definition_version, "priority": task.priority, "attempt": run.attempt,
        "origin": origin, "steps_reused": run.steps_done,
    });
    EventDraft::of_run(EventKind::TaskQueued, data)
}
