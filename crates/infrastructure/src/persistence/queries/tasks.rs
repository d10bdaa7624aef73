//! Tasks with their runs, and runs alone.

use crewd_application::ports::{StoreError, TaskFilter, TaskPage, TaskView};
use crewd_domain::runs::{Run, RunStatus};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use sea_orm::{QueryResult, Value};

use super::page::page_of_ids;
use super::progress::totals;
use super::run_queries::SeaRunQueries;
use crate::persistence::dialect::{in_list, lookups};
use crate::persistence::rows::{CellReader, RUNS, TASKS, read_run, read_task};

impl SeaRunQueries {
    /// Those of some tasks that are there and the tenant's, in any order.
    pub(super) async fn read_tasks(&self, tenant: &TenantId, ids: &[TaskId]) -> Result<Vec<TaskView>, StoreError> {
        let mut values: Vec<Value> = vec![tenant.as_str().into()];
        let list = in_list(&mut values, ids.iter().map(|id| Value::from(id.to_string())));
        let sql = format!("{} WHERE t.tenant_id = ? AND t.id IN ({list})", task_views());
        let rows = self.all(sql, values).await?;
        let mut views = rows.iter().map(view).collect::<Result<Vec<TaskView>, StoreError>>()?;
        self.add_progress(tenant, &mut views).await?;
        Ok(views)
    }

    pub(super) async fn read_page(
        &self,
        tenant: &TenantId,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<TaskPage, StoreError> {
        // One more than asked for tells whether there is a next page.
        let (ids, mut values) = page_of_ids(tenant, filter, before, i64::from(limit).saturating_add(1));
        let sql = format!(
            "{} WHERE t.id IN (SELECT p.task_id FROM ({ids}) p) AND t.tenant_id = ? ORDER BY t.id DESC LIMIT ?",
            task_views()
        );
        values.push(tenant.as_str().into());
        values.push(Value::from(i64::from(limit).saturating_add(1)));
        let rows = self.all(sql, values).await?;
        let mut items = rows.iter().map(view).collect::<Result<Vec<TaskView>, StoreError>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_before = if more { items.last().map(|view| view.task.id) } else { None };
        self.add_progress(tenant, &mut items).await?;
        Ok(TaskPage { items, next_before })
    }

    pub(super) async fn read_tasks_with_key(&self, tenant: &TenantId, key: &str) -> Result<Vec<TaskView>, StoreError> {
        let mut values: Vec<Value> = vec![tenant.as_str().into(), key.into()];
        let under_way = RunStatus::ALL.iter().filter(|status| !status.is_terminal());
        let list = in_list(&mut values, under_way.map(|status| Value::from(status.as_str())));
        let sql =
            format!("{} WHERE r.tenant_id = ? AND r.concurrency_key = ? AND r.status IN ({list}) ORDER BY t.id", task_views());
        let rows = self.all(sql, values).await?;
        let mut views = rows.iter().map(view).collect::<Result<Vec<TaskView>, StoreError>>()?;
        self.add_progress(tenant, &mut views).await?;
        Ok(views)
    }

    pub(super) async fn read_one_run(&self, tenant: &TenantId, id: RunId) -> Result<Option<Run>, StoreError> {
        let sql = format!("SELECT {} FROM runs r WHERE r.id = ? AND r.tenant_id = ?", RUNS.columns_of("r"));
        let row = self.first(sql, vec![id.to_string().into(), tenant.as_str().into()]).await?;
        row.map(|row| read_run(&mut CellReader::new(&row))).transpose()
    }

    pub(super) async fn read_runs_of(&self, tenant: &TenantId, task_id: TaskId) -> Result<Vec<Run>, StoreError> {
        let columns = RUNS.columns_of("r");
        let sql = format!("SELECT {columns} FROM runs r WHERE r.task_id = ? AND r.tenant_id = ? ORDER BY r.attempt, r.id");
        let rows = self.all(sql, vec![task_id.to_string().into(), tenant.as_str().into()]).await?;
        rows.iter().map(|row| read_run(&mut CellReader::new(row))).collect()
    }
}

/// Tasks with their current runs.
pub(in crate::persistence) fn task_views() -> String {
    format!(
        "SELECT {} {}, {} FROM tasks t JOIN runs r ON r.id = t.current_run",
        lookups(&["t", "r"]),
        TASKS.columns_of("t"),
        RUNS.columns_of("r")
    )
}

fn view(row: &QueryResult) -> Result<TaskView, StoreError> {
    let mut cells = CellReader::new(row);
    let task = read_task(&mut cells)?;
    let run = read_run(&mut cells)?;
    let progress = totals(&run);
    Ok(TaskView { task, run, progress })
}
