//! Logs, journals and orders.

use crewd_application::ports::{ControlItem, EventQuery, StoreError};
use crewd_domain::runs::{Event, Step};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use sea_orm::Value;

use super::run_queries::SeaRunQueries;
use crate::persistence::dialect::in_list;
use crate::persistence::rows::{CONTROLS, CellReader, EVENTS, STEPS, read_control, read_event, read_step};

/// Tasks that one statement asks for.
const TAILS: usize = 512;

impl SeaRunQueries {
    pub(super) async fn read_steps(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<Step>, StoreError> {
        let columns = STEPS.columns_of("s");
        let sql = format!("SELECT {columns} FROM steps s WHERE s.run_id = ? AND s.tenant_id = ? ORDER BY s.seq");
        let rows = self.all(sql, vec![run_id.to_string().into(), tenant.as_str().into()]).await?;
        rows.iter().map(|row| read_step(&mut CellReader::new(row))).collect()
    }

    pub(super) async fn read_orders(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<ControlItem>, StoreError> {
        let columns = CONTROLS.columns_of("i");
        let sql = format!(
            "SELECT {columns} FROM run_inbox i WHERE i.run_id = ? AND i.tenant_id = ? AND i.applied_seq IS NULL ORDER BY i.id"
        );
        let rows = self.all(sql, vec![run_id.to_string().into(), tenant.as_str().into()]).await?;
        rows.iter().map(|row| read_control(&mut CellReader::new(row))).collect()
    }

    pub(super) async fn read_events(&self, tenant: &TenantId, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        let columns = EVENTS.columns_of("e");
        let after = i64::try_from(query.after).unwrap_or(i64::MAX);
        let mut values: Vec<Value> = vec![query.task_id.to_string().into(), after.into(), tenant.as_str().into()];
        let mut sql = format!("SELECT {columns} FROM run_events e WHERE e.task_id = ? AND e.seq > ? AND e.tenant_id = ?");
        if !query.kinds.is_empty() {
            let list = in_list(&mut values, query.kinds.iter().map(|kind| Value::from(kind.as_str())));
            sql.push_str(&format!(" AND e.type IN ({list})"));
        }
        sql.push_str(" ORDER BY e.seq LIMIT ?");
        values.push(i64::from(query.limit).into());
        let rows = self.all(sql, values).await?;
        rows.iter().map(|row| read_event(&mut CellReader::new(row))).collect()
    }

    pub(super) async fn read_last_seq(&self, tenant: &TenantId, task_id: TaskId) -> Result<u64, StoreError> {
        let sql = "SELECT e.seq FROM run_events e WHERE e.task_id = ? AND e.tenant_id = ? ORDER BY e.seq DESC LIMIT 1";
        let row = self.first(sql, vec![task_id.to_string().into(), tenant.as_str().into()]).await?;
        row.map_or(Ok(0), |row| CellReader::new(&row).number())
    }
    pub(super) async fn read_last_seqs(&self, tasks: &[TaskId]) -> Result<Vec<(TaskId, u64)>, StoreError> {
        let mut found = Vec::with_capacity(tasks.len());
        for part in tasks.chunks(TAILS) {
            let mut values = Vec::new();
            let list = in_list(&mut values, part.iter().map(|id| Value::from(id.to_string())));
            let sql = format!(
                "SELECT t.id, (SELECT COALESCE(MAX(e.seq), 0) FROM run_events e WHERE e.task_id = t.id) \
                 FROM tasks t WHERE t.id IN ({list})"
            );
            for row in &self.all(sql, values).await? {
                let mut cells = CellReader::new(row);
                found.push((TaskId::new(cells.id()?), cells.number()?));
            }
        }
        Ok(found)
    }
}
