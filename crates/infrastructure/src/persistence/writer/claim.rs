//! The queue's write side: claims and heartbeats.

use std::collections::HashMap;
use std::time::Duration;

use crewd_application::ports::{ClaimedRun, ControlItem, StoreError};
use crewd_domain::runs::{Run, RunStatus, Step, Task};
use crewd_domain::shared::RunId;
use sea_orm::{DbBackend, Value};

use super::command::{ClaimRequest, RenewRequest};
use super::transaction::Definitions;
use crate::persistence::dialect::{for_update, in_list, now_micros, statement};
use crate::persistence::error::unavailable;
use crate::persistence::rows::{
    CONTROLS, CellReader, RUNS, STEPS, TASKS, claim_run, read_control, read_run, read_step, read_task,
};
use crate::persistence::session::Session;

/// Definitions that are kept in memory at most.
const KEPT_DEFINITIONS: usize = 128;

/// A queued run with what is needed to claim it.
struct Candidate {
    run: Run,
    task: Task,
    last_seq: u64,
    now: i64,
}

/// Takes the queued runs that are first by priority, then by age.
pub(super) async fn claim(
    transaction: &Session,
    backend: DbBackend,
    definitions: &mut Definitions,
    request: &ClaimRequest,
) -> Result<Vec<ClaimedRun>, StoreError> {
    let mut candidates = candidates(transaction, backend, request.limit).await?;
    let Some(now) = candidates.first().map(|first| first.now) else { return Ok(Vec::new()) };
    let until = now.saturating_add(micros(request.lease));
    take(transaction, backend, request, &candidates, (now, until)).await?;
    for candidate in &mut candidates {
        claim_run(&mut candidate.run, request.worker, now, until)?;
    }
    let mut steps = earlier_steps(transaction, backend, &candidates).await?;
    let mut controls = waiting_controls(transaction, backend, &candidates).await?;
    let mut claimed = Vec::with_capacity(candidates.len());
    for Candidate { run, task, last_seq, .. } in candidates {
        let definition = definition(transaction, backend, definitions, &task).await?;
        let steps = steps.remove(&run.id).unwrap_or_default();
        let controls = controls.remove(&run.id).unwrap_or_default();
        claimed.push(ClaimedRun { task, run, definition, steps, controls, last_seq });
    }
    Ok(claimed)
}

async fn candidates(transaction: &Session, backend: DbBackend, limit: u32) -> Result<Vec<Candidate>, StoreError> {
    let sql = format!(
        "SELECT {now}, (SELECT COALESCE(MAX(e.seq), 0) FROM run_events e WHERE e.task_id = r.task_id), {run}, {task} \
         FROM runs r JOIN tasks t ON t.id = r.task_id WHERE r.status = ? \
         ORDER BY r.priority_rank, r.created_at LIMIT ?{lock}",
        now = now_micros(backend),
        run = RUNS.columns_of("r"),
        task = TASKS.columns_of("t"),
        lock = for_update(backend),
    );
    let values = vec![RunStatus::Queued.as_str().into(), Value::from(i64::from(limit))];
    let rows = transaction.query_all_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    rows.iter()
        .map(|row| {
            let mut cells = CellReader::new(row);
            let (now, last_seq) = (cells.signed()?, cells.number()?);
            Ok(Candidate { run: read_run(&mut cells)?, task: read_task(&mut cells)?, last_seq, now })
        })
        .collect()
}

/// The compare-and-swap: all candidates are still queued, or nothing is taken.
async fn take(
    transaction: &Session,
    backend: DbBackend,
    request: &ClaimRequest,
    candidates: &[Candidate],
    (now, until): (i64, i64),
) -> Result<(), StoreError> {
    let mut values = vec![
        RunStatus::Running.as_str().into(),
        Value::from(request.worker.to_string()),
        Value::from(until),
        Value::from(now),
        RunStatus::Queued.as_str().into(),
    ];
    let list = in_list(&mut values, candidates.iter().map(|candidate| Value::from(candidate.run.id.to_string())));
    let sql = format!(
        "UPDATE runs SET status = ?, version = version + 1, epoch = epoch + 1, lease_owner = ?, lease_until = ?, \
         started_at = COALESCE(started_at, ?) WHERE status = ? AND id IN ({list})"
    );
    let result = transaction.execute_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    let all = u64::try_from(candidates.len()).unwrap_or(u64::MAX);
    if result == all { Ok(()) } else { Err(StoreError::Conflict) }
}

/// The journals of those runs that have been claimed before.
async fn earlier_steps(
    transaction: &Session,
    backend: DbBackend,
    candidates: &[Candidate],
) -> Result<HashMap<RunId, Vec<Step>>, StoreError> {
    let again: Vec<RunId> = candidates.iter().map(|one| &one.run).filter(|run| run.epoch > 1).map(|run| run.id).collect();
    let mut journals: HashMap<RunId, Vec<Step>> = HashMap::new();
    if again.is_empty() {
        return Ok(journals);
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, again.iter().map(|id| Value::from(id.to_string())));
    let sql = format!("SELECT {} FROM steps s WHERE s.run_id IN ({list}) ORDER BY s.run_id, s.seq", STEPS.columns_of("s"));
    let rows = transaction.query_all_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    for row in &rows {
        let step = read_step(&mut CellReader::new(row))?;
        journals.entry(step.run_id).or_default().push(step);
    }
    Ok(journals)
}

/// Orders that nobody has heeded yet: the run may have been cancelled while its last worker died.
async fn waiting_controls(
    transaction: &Session,
    backend: DbBackend,
    candidates: &[Candidate],
) -> Result<HashMap<RunId, Vec<ControlItem>>, StoreError> {
    let mut values = Vec::new();
    let list = in_list(&mut values, candidates.iter().map(|one| Value::from(one.run.id.to_string())));
    let columns = CONTROLS.columns_of("i");
    let sql = format!("SELECT {columns} FROM run_inbox i WHERE i.run_id IN ({list}) AND i.applied_seq IS NULL ORDER BY i.id");
    let rows = transaction.query_all_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    let mut controls: HashMap<RunId, Vec<ControlItem>> = HashMap::new();
    for row in &rows {
        let item = read_control(&mut CellReader::new(row))?;
        controls.entry(item.run_id).or_default().push(item);
    }
    Ok(controls)
}

async fn definition(
    transaction: &Session,
    backend: DbBackend,
    known: &mut Definitions,
    task: &Task,
) -> Result<Option<String>, StoreError> {
    let key = (task.tenant_id.clone(), task.crew.clone(), task.definition_version.clone());
    if let Some(definition) = known.get(&key) {
        return Ok(Some(definition.clone()));
    }
    let values = vec![key.0.as_str().into(), key.1.as_str().into(), key.2.as_str().into()];
    let sql = "SELECT definition FROM definitions WHERE tenant_id = ? AND name = ? AND version = ?";
    let row = transaction.query_one_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    let Some(definition) = row.map(|row| CellReader::new(&row).text()).transpose()? else { return Ok(None) };
    if known.len() >= KEPT_DEFINITIONS {
        known.clear();
    }
    known.insert(key, definition.clone());
    Ok(Some(definition))
}

/// Moves the end of all leases of a worker; returns the runs it holds.
pub(super) async fn renew(transaction: &Session, backend: DbBackend, request: &RenewRequest) -> Result<Vec<RunId>, StoreError> {
    let holder =
        || [Value::from(RunStatus::Running.as_str()), RunStatus::Cancelling.as_str().into(), request.worker.to_string().into()];
    let sql = format!("SELECT id FROM runs WHERE status IN (?, ?) AND lease_owner = ? ORDER BY id{}", for_update(backend));
    let held = statement(backend, sql, holder().to_vec());
    let rows = transaction.query_all_raw(held).await.map_err(unavailable)?;
    if !rows.is_empty() {
        let mut values = vec![Value::from(micros(request.lease))];
        values.extend(holder());
        let now = now_micros(backend);
        let sql = format!("UPDATE runs SET lease_until = {now} + ? WHERE status IN (?, ?) AND lease_owner = ?");
        transaction.execute_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    }
    rows.iter().map(|row| CellReader::new(row).id().map(RunId::new)).collect()
}

/// A lease in microseconds. Nobody needs one of more than a year, and the sum with the present must stay an instant.
fn micros(lease: Duration) -> i64 {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    i64::try_from(lease.min(YEAR).as_micros()).unwrap_or(i64::MAX)
}
