//! What must be known before a group can be judged.

use std::collections::{BTreeSet, HashMap};

use crewd_application::ports::StoreError;
use crewd_domain::runs::Priority;
use crewd_domain::shared::{RunId, TaskId, TenantId};
use sea_orm::{DbBackend, QueryResult, Value};

use crate::persistence::dialect::{for_update, in_list, statement};
use crate::persistence::error::unavailable;
use crate::persistence::rows::{CellReader, RunState};
use crate::persistence::session::Session;

/// The states of some runs, held against other writers until the transaction ends.
pub(super) async fn runs(
    transaction: &Session,
    backend: DbBackend,
    wanted: BTreeSet<RunId>,
) -> Result<HashMap<RunId, RunState>, StoreError> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let (sql, values) = runs_sql(backend, &wanted);
    let rows = transaction.query_all_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    read_runs(&rows)
}

/// The question for [`runs`].
pub(super) fn runs_sql(backend: DbBackend, wanted: &BTreeSet<RunId>) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let list = in_list(&mut values, wanted.iter().map(|id| Value::from(id.to_string())));
    (format!("SELECT {} FROM runs WHERE id IN ({list}){}", RunState::COLUMNS, for_update(backend)), values)
}

/// The answer to [`runs_sql`].
pub(super) fn read_runs(rows: &[QueryResult]) -> Result<HashMap<RunId, RunState>, StoreError> {
    rows.iter().map(|row| RunState::read(&mut CellReader::new(row))).collect()
}

/// Owner and priority of tasks that get a further run.
pub(super) async fn priorities(
    transaction: &Session,
    backend: DbBackend,
    wanted: BTreeSet<TaskId>,
) -> Result<HashMap<TaskId, (TenantId, Priority)>, StoreError> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let mut values = Vec::new();
    let list = in_list(&mut values, wanted.iter().map(|id| Value::from(id.to_string())));
    let sql = format!("SELECT id, tenant_id, priority_rank FROM tasks WHERE id IN ({list})");
    let rows = transaction.query_all_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    rows.iter()
        .map(|row| {
            let mut cells = CellReader::new(row);
            Ok((TaskId::new(cells.id()?), (cells.tenant()?, Priority::from_rank(cells.small()?))))
        })
        .collect()
}
