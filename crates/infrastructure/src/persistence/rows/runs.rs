//! Table `runs`.

use crewd_application::ports::StoreError;
use crewd_domain::runs::{DeadLetter, Failure, IncompleteReason, Lease, Priority, Run, RunStatus, StepPath, WaitReason};
use crewd_domain::shared::{RunId, TaskId, TenantId, WorkerId};

use super::cells::{CellReader, CellWriter, to_instant};
use super::table::Table;

pub(in crate::persistence) const RUNS: Table = Table {
    name: "runs",
    key_name: "run_id",
    key: &["id"],
    columns: &[
        "id",
        "tenant_id",
        "task_id",
        "attempt",
        "priority_rank",
        "created_at",
        "parent_run_id",
        "fork_step",
        "concurrency_key",
        "status",
        "waiting_for",
        "woken_from",
        "wake_at",
        "waiting_since",
        "waited_ms",
        "stop_after",
        "lease_owner",
        "lease_until",
        "epoch",
        "version",
        "crash_count",
        "incomplete_reason",
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "llm_calls",
        "tool_calls",
        "cost_usd_micros",
        "steps_done",
        "simulated",
        "state_hash",
        "dead_letter",
        "failure_class",
        "started_at",
        "finished_at",
        "cancel_request",
        "error",
        "output",
    ],
};

/// The columns before this one are not changed by transitions.
pub(in crate::persistence) const FIRST_CHANGING: usize = 9;

/// What decides whether a run may be written.
#[derive(Clone, Debug)]
pub(in crate::persistence) struct RunState {
    pub(in crate::persistence) tenant: TenantId,
    pub(in crate::persistence) status: RunStatus,
    pub(in crate::persistence) version: u64,
    pub(in crate::persistence) epoch: u64,
    /// End of the lease in microseconds, as heartbeats have moved it.
    pub(in crate::persistence) lease_until: Option<i64>,
}

impl RunState {
    pub(in crate::persistence) const COLUMNS: &'static str = "id, tenant_id, status, version, epoch, lease_until";

    pub(in crate::persistence) fn read(cells: &mut CellReader<'_>) -> Result<(RunId, Self), StoreError> {
        let id = RunId::new(cells.id()?);
        let state = Self {
            tenant: cells.tenant()?,
            status: cells.name(RunStatus::parse)?,
            version: cells.number()?,
            epoch: cells.number()?,
            lease_until: cells.optional_instant()?.map(|until| until.timestamp_micros()),
        };
        Ok((id, state))
    }

    pub(in crate::persistence) fn of(run: &Run) -> Self {
        Self {
            tenant: run.tenant_id.clone(),
            status: run.status,
            version: run.version,
            epoch: run.epoch,
            lease_until: run.lease.map(|lease| lease.until.timestamp_micros()),
        }
    }
}

/// A new run; `priority` is its task's, kept here for the queue's index.
pub(in crate::persistence) fn write_run(cells: &mut CellWriter, run: &Run, priority: Priority) -> Result<(), StoreError> {
    cells.id(run.id.as_uuid());
    cells.text(run.tenant_id.as_str());
    cells.id(run.task_id.as_uuid());
    cells.number(u64::from(run.attempt));
    cells.small(priority.rank());
    cells.instant(run.created_at);
    cells.optional_id(run.parent.map(|parent| parent.as_uuid()));
    cells.optional_text(run.fork_step.as_ref().map(StepPath::as_str));
    cells.optional_text(run.concurrency_key.as_deref());
    write_run_changes(cells, run, run.lease.map(|lease| lease.until.timestamp_micros()))
}

/// A run that is there, for an insert that replaces what a transition may change.
pub(in crate::persistence) fn write_changed_run(
    cells: &mut CellWriter,
    run: &Run,
    lease_until: Option<i64>,
) -> Result<(), StoreError> {
    let mut whole = CellWriter::default();
    write_run(&mut whole, run, Priority::default())?;
    let mut unchanging = whole.into_cells();
    unchanging.truncate(FIRST_CHANGING);
    cells.append(unchanging);
    write_run_changes(cells, run, lease_until)
}

/// All columns that a transition may change, in the order of [`update_run_sql`].
pub(in crate::persistence) fn write_run_changes(
    cells: &mut CellWriter,
    run: &Run,
    lease_until: Option<i64>,
) -> Result<(), StoreError> {
    cells.text(run.status.as_str());
    cells.optional_text(run.waiting_for.map(WaitReason::as_str));
    cells.optional_text(run.woken_from.map(WaitReason::as_str));
    cells.optional_instant(run.wake_at);
    cells.optional_instant(run.waiting_since);
    cells.number(run.waited_ms);
    cells.optional_text(run.stop_after.as_ref().map(StepPath::as_str));
    cells.optional_text(run.lease.map(|lease| lease.worker.to_string()));
    cells.signed(lease_until);
    cells.number(run.epoch);
    cells.number(run.version);
    cells.number(u64::from(run.crash_count));
    cells.optional_text(run.incomplete.map(IncompleteReason::as_str));
    cells.usage(&run.usage);
    cells.number(u64::from(run.steps_done));
    cells.flag(run.simulated);
    cells.optional_text(run.state_hash.as_deref());
    cells.optional_text(run.dead_letter.map(DeadLetter::as_str));
    cells.optional_text(run.error.as_ref().map(|error: &Failure| error.class.as_str()));
    cells.optional_instant(run.started_at);
    cells.optional_instant(run.finished_at);
    cells.optional_json(run.cancel.as_ref())?;
    cells.optional_json(run.error.as_ref())?;
    cells.optional_json(run.output.as_ref())
}

/// The compare-and-swap of a transition; after the changed columns come id, version and epoch as they were.
pub(in crate::persistence) fn update_run_sql() -> String {
    let mut sql = String::from("UPDATE runs SET ");
    for (place, column) in RUNS.columns.iter().skip(FIRST_CHANGING).enumerate() {
        if place > 0 {
            sql.push_str(", ");
        }
        sql.push_str(column);
        sql.push_str(" = ?");
    }
    sql.push_str(" WHERE id = ? AND version = ? AND epoch = ?");
    sql
}

pub(in crate::persistence) fn read_run(cells: &mut CellReader<'_>) -> Result<Run, StoreError> {
    let id = RunId::new(cells.id()?);
    let tenant_id = cells.tenant()?;
    let task_id = TaskId::new(cells.id()?);
    let attempt = cells.count()?;
    let _priority = cells.small()?;
    let created_at = cells.instant()?;
    let parent = cells.optional_id()?.map(RunId::new);
    let fork_step = cells.optional_text()?.map(StepPath::from_stored);
    let concurrency_key = cells.optional_text()?;
    let status = cells.name(RunStatus::parse)?;
    let waiting_for = cells.optional_name(WaitReason::parse)?;
    let woken_from = cells.optional_name(WaitReason::parse)?;
    let wake_at = cells.optional_instant()?;
    let waiting_since = cells.optional_instant()?;
    let waited_ms = cells.number()?;
    let stop_after = cells.optional_text()?.map(StepPath::from_stored);
    let owner = cells.optional_id()?;
    let until = cells.optional_instant()?;
    let epoch = cells.number()?;
    let lease = owner.zip(until).map(|(owner, until)| Lease { worker: WorkerId::new(owner), epoch, until });
    let version = cells.number()?;
    let crash_count = cells.count()?;
    let incomplete = cells.optional_name(IncompleteReason::parse)?;
    let usage = cells.usage()?;
    let steps_done = cells.count()?;
    let simulated = cells.flag()?;
    let state_hash = cells.optional_text()?;
    let dead_letter = cells.optional_name(DeadLetter::parse)?;
    let _failure_class = cells.optional_text()?;
    Ok(Run {
        id,
        task_id,
        tenant_id,
        attempt,
        status,
        parent,
        fork_step,
        waiting_for,
        woken_from,
        wake_at,
        waiting_since,
        waited_ms,
        stop_after,
        concurrency_key,
        lease,
        epoch,
        version,
        crash_count,
        incomplete,
        usage,
        steps_done,
        simulated,
        state_hash,
        dead_letter,
        created_at,
        started_at: cells.optional_instant()?,
        finished_at: cells.optional_instant()?,
        cancel: cells.optional_json()?,
        error: cells.optional_json()?,
        output: cells.optional_json()?,
    })
}

/// A run as it is after its claim: what [`read_run`] gave, changed by the domain's own rule.
pub(in crate::persistence) fn claim_run(run: &mut Run, worker: WorkerId, now: i64, until: i64) -> Result<(), StoreError> {
    run.claim(worker, to_instant(until)?, to_instant(now)?).map_err(|_| StoreError::Conflict)?;
    Ok(())
}
