//! What a run that ends without a worker leaves: everything its journal and its log have of it.

use chrono::{DateTime, Utc};
use crewd_domain::runs::{Event, EventKind, Failure, Run, Step, StepStatus};
use crewd_domain::shared::Usage;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ports::{EventQuery, RunQueries, StoreError};

/// More crew tasks than any crew may have.
const MAX_CREW_TASKS: u32 = 10_000;

/// The remains of a run.
pub(super) struct Remains {
    /// The outputs of the crew tasks that were done.
    pub(super) output: Value,
    /// Sum over the finished steps.
    pub(super) usage: Usage,
    /// Finished steps.
    pub(super) steps_done: u32,
    /// Steps that have an intent and no result.
    pub(super) open: Vec<Step>,
}

impl Remains {
    pub(super) async fn read(queries: &dyn RunQueries, run: &Run) -> Result<Self, StoreError> {
        let query =
            EventQuery { task_id: run.task_id, after: 0, kinds: vec![EventKind::CrewTaskCompleted], limit: MAX_CREW_TASKS };
        let mut completed = queries.events(&run.tenant_id, &query).await?;
        completed.retain(|event| event.run_id == run.id);
        let (finished, open): (Vec<_>, Vec<_>) =
            queries.steps(&run.tenant_id, run.id).await?.into_iter().partition(|step| step.status.is_finished());
        let mut usage = Usage::default();
        finished.iter().for_each(|step| usage += step.usage);
        let steps_done = u32::try_from(finished.len()).unwrap_or(u32::MAX);
        Ok(Self { output: output_of(&completed), usage, steps_done, open })
    }

    /// The open steps, closed: nobody goes on with them.
    pub(super) fn closed_steps(&mut self, failure: &Failure, now: DateTime<Utc>) -> impl Iterator<Item = Step> {
        std::mem::take(&mut self.open).into_iter().map(move |mut step| {
            step.status = if step.effect.is_repeatable() { StepStatus::Failed } else { StepStatus::OutcomeUnknown };
            let message = format!("cut off: {}", failure.message.trim_start_matches("cut off: "));
            step.error = Some(Failure { message, details: json!({"kind": "cut_off"}), ..failure.clone() });
            step.finished_at = Some(now);
            step
        })
    }
}

/// The payload of `crew_task.completed`.
#[derive(Deserialize)]
struct Completed {
    name: String,
    agent: String,
    output: Answer,
}

#[derive(Deserialize)]
struct Answer {
    raw: String,
    json: Option<Value>,
}

/// The `output` of the HTTP contract.
fn output_of(completed: &[Event]) -> Value {
    let tasks: Vec<Completed> = completed.iter().filter_map(|event| serde_json::from_str(event.data.get()).ok()).collect();
    let last = tasks.iter().rev().map(|task| &task.output).find(|output| !output.raw.is_empty());
    let (raw, json) = last.map_or(("", None), |output| (output.raw.as_str(), output.json.as_ref()));
    let line =
        |task: &Completed| json!({"name": task.name, "agent": task.agent, "raw": task.output.raw, "json": task.output.json});
    let lines: Vec<Value> = tasks.iter().map(line).collect();
    json!({"raw": raw, "json": json, "tasks": lines})
}
