//! Takes chosen runs out of the queue.

use std::collections::HashMap;
use std::time::Duration;

use crewd_application::ports::{ClaimedRun, ControlItem, StoreError};
use crewd_domain::approvals::Approval;
use crewd_domain::runs::{Run, RunStatus, Step, Task};
use crewd_domain::shared::RunId;
use sea_orm::{DbBackend, Value};

use super::choice::Candidate;
use super::command::ClaimRequest;
use super::transaction::Definitions;
use crate::persistence::dialect::{in_list, statement};
use crate::persistence::error::unavailable;
use crate::persistence::rows::{APPROVALS, CONTROLS, CellReader, STEPS, claim_run, read_approval, read_control, read_step};
use crate::persistence::session::Session;

/// Definitions that are kept in memory at most.
const KEPT_DEFINITIONS: usize = 128;

/// Takes the chosen runs and gathers what their worker needs.
pub(super) async fn claim(
    transaction: &Session,
    backend: DbBackend,
    definitions: &mut Definitions,
    request: &ClaimRequest,
    mut candidates: Vec<Candidate>,
) -> Result<Vec<ClaimedRun>, StoreError> {
    let Some(now) = candidates.first().map(|first| first.now) else { return Ok(Vec::new()) };
    let until = now.saturating_add(lease_micros(request.lease));
    take(transaction, backend, request, &candidates, (now, until)).await?;
    for candidate in &mut candidates {
        claim_run(&mut candidate.run, request.worker, now, until)?;
    }
    // A retry or a fork begins with the steps that it took over.
    let has_journal = |run: &&Run| run.epoch > 1 || run.parent.is_some();
    let again: Vec<RunId> = candidates.iter().map(|one| &one.run).filter(has_journal).map(|run| run.id).collect();
    let mut steps = earlier_steps(transaction, backend, &again).await?;
    let mut approvals = earlier_approvals(transaction, backend, &again).await?;
    let mut controls = waiting_controls(transaction, backend, &candidates).await?;
    let mut claimed = Vec::with_capacity(candidates.len());
    for Candidate { run, task, last_seq, .. } in candidates {
        let definition = definition(transaction, backend, definitions, &task).await?;
        let steps = steps.remove(&run.id).unwrap_or_default();
        let approvals = approvals.remove(&run.id).unwrap_or_default();
        let controls = controls.remove(&run.id).unwrap_or_default();
        claimed.push(ClaimedRun { task, run, definition, steps, approvals, controls, last_seq });
    }
    Ok(claimed)
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
         wake_at = NULL, started_at = COALESCE(started_at, ?) WHERE status = ? AND id IN ({list})"
    );
    let result = transaction.execute_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    let all = u64::try_from(candidates.len()).unwrap_or(u64::MAX);
    if result == all { Ok(()) } else { Err(StoreError::Conflict) }
}

/// The journals of those runs that have been claimed before.
async fn earlier_steps(
    transaction: &Session,
    backend: DbBackend,
    again: &[RunId],
) -> Result<HashMap<RunId, Vec<Step>>, StoreError> {
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

/// The questions that runs claimed before have asked.
async fn earlier_approvals(
    transaction: &Session,
    backend: DbBackend,
    again: &[RunId],
) -> Result<HashMap<RunId, Vec<Approval>>, StoreError> {
    let mut asked: HashMap<RunId, Vec<Approval>> = HashMap::new();
    if again.is_empty() {
        return Ok(asked);
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, again.iter().map(|id| Value::from(id.to_string())));
    let sql = format!("SELECT {} FROM approvals a WHERE a.run_id IN ({list}) ORDER BY a.id", APPROVALS.columns_of("a"));
    let rows = transaction.query_all_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    for row in &rows {
        let approval = read_approval(&mut CellReader::new(row))?;
        asked.entry(approval.run_id).or_default().push(approval);
    }
    Ok(asked)
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

/// A lease in microseconds. Nobody needs one of more than a year, and the sum with the present must stay an instant.
pub(in crate::persistence) fn lease_micros(lease: Duration) -> i64 {
    const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    i64::try_from(lease.min(YEAR).as_micros()).unwrap_or(i64::MAX)
}
