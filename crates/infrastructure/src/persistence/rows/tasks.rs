//! Table `tasks`.

use crewd_application::ports::StoreError;
use crewd_domain::runs::{Budget, Priority, Task, TaskOptions};
use crewd_domain::shared::{RunId, TaskId};

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const TASKS: Table = Table {
    name: "tasks",
    key_name: "task_id",
    key: &["id"],
    columns: &[
        "id",
        "tenant_id",
        "crew",
        "definition_version",
        "priority_rank",
        "deadline_seconds",
        "max_tokens",
        "traceparent",
        "request_id",
        "current_run",
        "created_at",
        "inputs",
        "metadata",
        "options",
    ],
};

pub(in crate::persistence) fn write_task(cells: &mut CellWriter, task: &Task) -> Result<(), StoreError> {
    cells.id(task.id.as_uuid());
    cells.text(task.tenant_id.as_str());
    cells.text(&task.crew);
    cells.text(&task.definition_version);
    cells.small(task.priority.rank());
    cells.optional_number(task.deadline_seconds.map(u64::from));
    cells.optional_number(task.budget.max_tokens);
    cells.optional_text(task.traceparent.as_deref());
    cells.text(&task.request_id);
    cells.id(task.current_run.as_uuid());
    cells.instant(task.created_at);
    cells.json(&task.inputs)?;
    cells.json(&task.metadata)?;
    // Most tasks ask for nothing beyond the usual.
    cells.optional_json(Some(&task.options).filter(|options| **options != TaskOptions::default()))
}

pub(in crate::persistence) fn read_task(cells: &mut CellReader<'_>) -> Result<Task, StoreError> {
    Ok(Task {
        id: TaskId::new(cells.id()?),
        tenant_id: cells.tenant()?,
        crew: cells.text()?,
        definition_version: cells.text()?,
        priority: Priority::from_rank(cells.small()?),
        deadline_seconds: cells.optional_number()?.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        budget: Budget { max_tokens: cells.optional_number()? },
        traceparent: cells.optional_text()?,
        request_id: cells.text()?,
        current_run: RunId::new(cells.id()?),
        created_at: cells.instant()?,
        inputs: cells.json()?,
        metadata: cells.json()?,
        options: cells.optional_json()?.unwrap_or_default(),
    })
}
