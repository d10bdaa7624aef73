//! Table `steps`.

use crewd_application::ports::StoreError;
use crewd_domain::runs::{Step, StepKind, StepPath, StepStatus};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use crewd_domain::tools::EffectClass;

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const STEPS: Table = Table {
    name: "steps",
    key_name: "step_path",
    key: &["run_id", "path"],
    columns: &[
        "run_id",
        "path",
        "tenant_id",
        "task_id",
        "attempt",
        "kind",
        "name",
        "agent",
        "effect",
        "status",
        "input_hash",
        "idempotency_key",
        "seq",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "llm_calls",
        "tool_calls",
        "cost_usd_micros",
        "started_at",
        "finished_at",
        "error",
        "output",
        "reused_from",
    ],
};

pub(in crate::persistence) fn write_step(cells: &mut CellWriter, step: &Step, tenant: &TenantId) -> Result<(), StoreError> {
    cells.id(step.run_id.as_uuid());
    cells.text(step.path.as_str());
    cells.text(tenant.as_str());
    cells.id(step.task_id.as_uuid());
    cells.number(u64::from(step.attempt));
    cells.text(step.kind.as_str());
    cells.text(&step.name);
    cells.text(&step.agent);
    cells.text(step.effect.as_str());
    cells.text(step.status.as_str());
    cells.text(&step.input_hash);
    cells.text(&step.idempotency_key);
    cells.number(step.seq);
    cells.usage(&step.usage);
    cells.instant(step.started_at);
    cells.optional_instant(step.finished_at);
    cells.optional_json(step.error.as_ref())?;
    cells.optional_json(step.output.as_ref())?;
    cells.optional_id(step.reused_from.map(|run| run.as_uuid()));
    Ok(())
}

pub(in crate::persistence) fn read_step(cells: &mut CellReader<'_>) -> Result<Step, StoreError> {
    let run_id = RunId::new(cells.id()?);
    let path = StepPath::from_stored(cells.text()?);
    let _tenant = cells.text()?;
    Ok(Step {
        run_id,
        path,
        task_id: TaskId::new(cells.id()?),
        attempt: cells.count()?,
        kind: cells.name(StepKind::parse)?,
        name: cells.text()?,
        agent: cells.text()?,
        effect: EffectClass::from_stored(&cells.text()?),
        status: cells.name(StepStatus::parse)?,
        input_hash: cells.text()?,
        idempotency_key: cells.text()?,
        seq: cells.number()?,
        usage: cells.usage()?,
        started_at: cells.instant()?,
        finished_at: cells.optional_instant()?,
        error: cells.optional_json()?,
        output: cells.optional_json()?,
        reused_from: cells.optional_id()?.map(RunId::new),
    })
}
