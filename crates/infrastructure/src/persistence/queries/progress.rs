//! How far runs are.

use std::collections::HashMap;

use crewd_application::ports::{StoreError, TaskProgress, TaskView};
use crewd_domain::runs::{Run, StepStatus};
use crewd_domain::shared::{RunId, TenantId};
use sea_orm::Value;

use super::run_queries::SeaRunQueries;
use crate::persistence::dialect::{in_list, sum};
use crate::persistence::rows::CellReader;

/// Of a finished run: its own totals.
pub(super) fn totals(run: &Run) -> TaskProgress {
    TaskProgress { steps_done: run.steps_done, current: None, usage: run.usage }
}

impl SeaRunQueries {
    /// Fills in the progress of those runs that are under way, with two statements for all of them.
    pub(super) async fn add_progress(&self, tenant: &TenantId, views: &mut [TaskView]) -> Result<(), StoreError> {
        let under_way: Vec<RunId> = views
            .iter()
            .map(|view| &view.run)
            .filter(|run| !run.status.is_terminal() && run.epoch > 0)
            .map(|run| run.id)
            .collect();
        if under_way.is_empty() {
            return Ok(());
        }
        let mut progress = self.finished_steps(tenant, &under_way).await?;
        for (run_id, path) in self.open_steps(tenant, &under_way).await? {
            progress.entry(run_id).or_default().current = Some(path);
        }
        for view in views.iter_mut() {
            if let Some(progress) = progress.remove(&view.run.id) {
                view.progress = progress;
            }
        }
        Ok(())
    }

    async fn finished_steps(&self, tenant: &TenantId, runs: &[RunId]) -> Result<HashMap<RunId, TaskProgress>, StoreError> {
        let (mut values, condition) = condition(tenant, runs);
        values.extend(finished());
        let usage = ["input_tokens", "output_tokens", "cached_input_tokens", "llm_calls", "tool_calls", "cost_usd_micros"];
        let sums = usage.map(|column| sum(self.backend(), column)).join(", ");
        let sql = format!("SELECT run_id, COUNT(*), {sums} FROM steps WHERE {condition} AND status IN (?, ?) GROUP BY run_id");
        let rows = self.all(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let id = RunId::new(cells.id()?);
                Ok((id, TaskProgress { steps_done: cells.count()?, current: None, usage: cells.usage()? }))
            })
            .collect()
    }

    /// Steps that have been announced and are not finished, oldest first.
    async fn open_steps(&self, tenant: &TenantId, runs: &[RunId]) -> Result<Vec<(RunId, String)>, StoreError> {
        let (mut values, condition) = condition(tenant, runs);
        values.extend(finished());
        let sql = format!("SELECT run_id, path FROM steps WHERE {condition} AND status NOT IN (?, ?) ORDER BY seq");
        let rows = self.all(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                Ok((RunId::new(cells.id()?), cells.text()?))
            })
            .collect()
    }
}

fn condition(tenant: &TenantId, runs: &[RunId]) -> (Vec<Value>, String) {
    let mut values = Vec::new();
    let list = in_list(&mut values, runs.iter().map(|id| Value::from(id.to_string())));
    values.push(tenant.as_str().into());
    (values, format!("run_id IN ({list}) AND tenant_id = ?"))
}

fn finished() -> impl Iterator<Item = Value> {
    [StepStatus::Succeeded, StepStatus::Failed].into_iter().map(|status| Value::from(status.as_str()))
}
