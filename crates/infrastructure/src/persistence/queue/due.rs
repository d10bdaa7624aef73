//! Runs without a worker that somebody has to look at.

use std::collections::HashMap;

use crewd_application::ports::{ControlItem, DueRun, StoreError};
use crewd_domain::approvals::{Approval, ApprovalStatus};
use crewd_domain::runs::RunStatus;
use crewd_domain::shared::RunId;
use sea_orm::{DbBackend, Value};

use super::SeaRunQueue;
use crate::persistence::dialect::{in_list, lookups, now_micros};
use crate::persistence::rows::{APPROVALS, CONTROLS, CellReader, RUNS, TASKS, read_approval, read_control, read_run, read_task};

impl SeaRunQueue {
    /// Mostly nothing is due, and one look at the head of two indexes says so.
    pub(super) async fn read_due(&self, limit: u32) -> Result<Vec<DueRun>, StoreError> {
        let (sql, values) = due_runs(self.readers.backend(), limit);
        let rows = self.read(sql, values).await?;
        let mut due = rows
            .iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let (now, last_seq) = (cells.instant()?, cells.number()?);
                let run = read_run(&mut cells)?;
                Ok(DueRun { run, task: read_task(&mut cells)?, pending: Vec::new(), controls: Vec::new(), last_seq, now })
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        if due.is_empty() {
            return Ok(due);
        }
        let ids: Vec<RunId> = due.iter().map(|one| one.run.id).collect();
        let mut pending = self.pending(&ids).await?;
        let mut controls = self.waiting_controls(&ids).await?;
        for one in &mut due {
            one.pending = pending.remove(&one.run.id).unwrap_or_default();
            one.controls = controls.remove(&one.run.id).unwrap_or_default();
        }
        Ok(due)
    }

    async fn pending(&self, runs: &[RunId]) -> Result<HashMap<RunId, Vec<Approval>>, StoreError> {
        let mut values = Vec::new();
        let list = in_list(&mut values, runs.iter().map(|id| Value::from(id.to_string())));
        values.push(ApprovalStatus::Pending.as_str().into());
        let columns = APPROVALS.columns_of("a");
        let sql = format!("SELECT {columns} FROM approvals a WHERE a.run_id IN ({list}) AND a.status = ? ORDER BY a.id");
        let mut found: HashMap<RunId, Vec<Approval>> = HashMap::new();
        for row in &self.read(sql, values).await? {
            let approval = read_approval(&mut CellReader::new(row))?;
            found.entry(approval.run_id).or_default().push(approval);
        }
        Ok(found)
    }

    async fn waiting_controls(&self, runs: &[RunId]) -> Result<HashMap<RunId, Vec<ControlItem>>, StoreError> {
        let mut values = Vec::new();
        let list = in_list(&mut values, runs.iter().map(|id| Value::from(id.to_string())));
        let columns = CONTROLS.columns_of("i");
        let sql = format!("SELECT {columns} FROM run_inbox i WHERE i.applied_seq IS NULL AND i.run_id IN ({list}) ORDER BY i.id");
        let mut found: HashMap<RunId, Vec<ControlItem>> = HashMap::new();
        for row in &self.read(sql, values).await? {
            let item = read_control(&mut CellReader::new(row))?;
            found.entry(item.run_id).or_default().push(item);
        }
        Ok(found)
    }
}

/// The states inside of a function, so that the index of the times is taken: what waits may be very much, what is overdue
/// is little.
const NOBODY_HOLDS_IT: &str = "COALESCE(d.status, '') IN (?, ?, ?)";

/// Runs whose time has come, and waiting ones that an order waits for; those with the earliest time first.
pub(in crate::persistence) fn due_runs(backend: DbBackend, limit: u32) -> (String, Vec<Value>) {
    let now = now_micros(backend);
    let sql = format!(
        "SELECT {task_of_run} {now}, (SELECT COALESCE(MAX(e.seq), 0) FROM run_events e WHERE e.task_id = r.task_id), {run}, {task} \
         FROM (SELECT w.id FROM (SELECT d.id AS id FROM runs d WHERE d.wake_at <= {now} AND {NOBODY_HOLDS_IT} \
         ORDER BY d.wake_at LIMIT ?) w UNION \
         SELECT o.id FROM (SELECT {run_of_order} i.run_id AS id FROM run_inbox i JOIN runs p ON p.id = i.run_id \
         WHERE i.applied_seq IS NULL AND p.status = ? LIMIT ?) o) x \
         JOIN runs r ON r.id = x.id JOIN tasks t ON t.id = r.task_id \
         ORDER BY COALESCE(r.wake_at, 0), r.id LIMIT ?",
        task_of_run = lookups(&["x", "r", "t"]),
        run_of_order = lookups(&["i", "p"]),
        run = RUNS.columns_of("r"),
        task = TASKS.columns_of("t"),
    );
    let limit = Value::from(i64::from(limit));
    let [scheduled, queued, waiting] =
        [RunStatus::Scheduled, RunStatus::Queued, RunStatus::Waiting].map(|status| Value::from(status.as_str()));
    (sql, vec![scheduled, queued, waiting.clone(), limit.clone(), waiting, limit.clone(), limit])
}
