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
    /// Fills in the progress of those runs that are under way, with one statement for all of them.
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
        let mut progress = self.progress(tenant, &under_way).await?;
        for view in views.iter_mut() {
            if let Some(progress) = progress.remove(&view.run.id) {
                view.progress = progress;
            }
        }
        Ok(())
    }

    /// Sums over finished steps, and the newest step that is announced and not finished.
    async fn progress(&self, tenant: &TenantId, runs: &[RunId]) -> Result<HashMap<RunId, TaskProgress>, StoreError> {
        let mut values: Vec<Value> = finished().collect();
        let usage = ["input_tokens", "output_tokens", "cached_input_tokens", "llm_calls", "tool_calls", "cost_usd_micros"];
        let sums = usage.map(|column| {
            values.extend(finished());
            sum(self.backend(), &format!("CASE WHEN s.status IN (?, ?) THEN s.{column} ELSE 0 END"))
        });
        values.extend(finished());
        let list = in_list(&mut values, runs.iter().map(|id| Value::from(id.to_string())));
        values.push(tenant.as_str().into());
        let sql = format!(
            "SELECT s.run_id, {done}, {sums}, (SELECT o.path FROM steps o WHERE o.run_id = s.run_id AND o.status NOT IN (?, ?) \
             ORDER BY o.seq DESC LIMIT 1) FROM steps s WHERE s.run_id IN ({list}) AND s.tenant_id = ? GROUP BY s.run_id",
            done = sum(self.backend(), "CASE WHEN s.status IN (?, ?) THEN 1 ELSE 0 END"),
            sums = sums.join(", "),
        );
        let rows = self.all(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let id = RunId::new(cells.id()?);
                Ok((id, TaskProgress { steps_done: cells.count()?, usage: cells.usage()?, current: cells.optional_text()? }))
            })
            .collect()
    }
}

fn finished() -> impl Iterator<Item = Value> {
    [StepStatus::Succeeded, StepStatus::Failed].into_iter().map(|status| Value::from(status.as_str()))
}
