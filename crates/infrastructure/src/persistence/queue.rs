//! The port of workers.
//!
//! | module | what is in it |
//! |---|---|
//! | `due` | runs without a worker that somebody has to look at |
//! | `fair` | places in the queue, loads, aging |

mod due;
mod fair;

use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{
    ClaimedRun, ControlItem, DueRun, Fairness, LostRun, QueuePlace, RunQueue, StoreError, TenantLoad,
};
use crewd_domain::runs::RunStatus;
use crewd_domain::shared::{RunId, TenantId, WorkerId};
use sea_orm::{QueryResult, Value};

#[cfg(test)]
pub(super) use due::due_runs;
#[cfg(test)]
pub(super) use fair::{aged_runs, before_own, own_queued, queued_tenants, turns_of};

use super::dialect::{in_list, lookups, now_micros, statement};
use super::error::unavailable;
use super::info::Capabilities;
use super::rows::{CONTROLS, CellReader, RUNS, read_control, read_run};
use super::session::Readers;
use super::writer::{ClaimRequest, WriterHandle};

/// The table of runs as a queue. Claims and aging go through the writer, the rest through the readers.
#[derive(Clone, Debug)]
pub struct SeaRunQueue {
    writer: WriterHandle,
    readers: Readers,
    can: Capabilities,
    fairness: Fairness,
}

impl SeaRunQueue {
    pub(super) fn new(writer: WriterHandle, readers: Readers, can: Capabilities) -> Self {
        Self { writer, readers, can, fairness: Fairness::default() }
    }

    /// The same queue with other rules.
    #[must_use]
    pub const fn with_fairness(mut self, fairness: Fairness) -> Self {
        self.fairness = fairness;
        self
    }

    async fn read(&self, sql: String, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        let query = statement(self.readers.backend(), sql, values);
        self.readers.query_all_raw(query).await.map_err(unavailable)
    }
}

#[async_trait]
impl RunQueue for SeaRunQueue {
    async fn claim(&self, worker: WorkerId, limit: u32, lease: Duration) -> Result<Vec<ClaimedRun>, StoreError> {
        self.writer.claim(ClaimRequest { worker, limit, lease, fairness: self.fairness }).await
    }

    async fn lost(&self, dead: &[WorkerId]) -> Result<Vec<LostRun>, StoreError> {
        let mut values = active().to_vec();
        let list = in_list(&mut values, dead.iter().map(|worker| Value::from(worker.to_string())));
        let sql = format!(
            "SELECT (SELECT COALESCE(MAX(e.seq), 0) FROM run_events e WHERE e.task_id = r.task_id), {run} \
             FROM runs r WHERE r.status IN (?, ?) \
             AND (r.lease_until IS NULL OR r.lease_until <= {now} OR r.lease_owner IN ({list})) ORDER BY r.id",
            run = RUNS.columns_of("r"),
            now = now_micros(self.readers.backend()),
        );
        let rows = self.read(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let last_seq = cells.number()?;
                Ok(LostRun { run: read_run(&mut cells)?, last_seq })
            })
            .collect()
    }

    async fn controls(&self, worker: WorkerId) -> Result<Vec<ControlItem>, StoreError> {
        let mut values = active().to_vec();
        values.push(worker.to_string().into());
        let sql = format!(
            "SELECT {lookups} {item} FROM run_inbox i JOIN runs r ON r.id = i.run_id \
             WHERE i.applied_seq IS NULL AND r.status IN (?, ?) AND r.lease_owner = ? ORDER BY i.id",
            lookups = lookups(&["i", "r"]),
            item = CONTROLS.columns_of("i"),
        );
        let rows = self.read(sql, values).await?;
        rows.iter().map(|row| read_control(&mut CellReader::new(row))).collect()
    }

    async fn holders(&self) -> Result<Vec<WorkerId>, StoreError> {
        let sql = "SELECT DISTINCT lease_owner FROM runs \
                   WHERE status IN (?, ?) AND lease_owner IS NOT NULL ORDER BY lease_owner";
        let rows = self.read(sql.to_owned(), active().to_vec()).await?;
        rows.iter().map(|row| CellReader::new(row).id().map(WorkerId::new)).collect()
    }

    async fn due(&self, limit: u32) -> Result<Vec<DueRun>, StoreError> {
        self.read_due(limit).await
    }

    async fn position(&self, tenant: &TenantId, run_id: RunId, limit: u32) -> Result<Option<u64>, StoreError> {
        self.read_position(tenant, run_id, limit).await
    }

    async fn line(&self, tenant: &TenantId, limit: u32) -> Result<Option<Vec<QueuePlace>>, StoreError> {
        self.read_line(tenant, limit).await
    }

    async fn load(&self, tenant: &TenantId, limit: u32) -> Result<TenantLoad, StoreError> {
        self.read_load(tenant, limit).await
    }

    async fn age(&self) -> Result<u64, StoreError> {
        self.move_up().await
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM runs WHERE status = ?";
        let rows = self.read(sql.to_owned(), vec![RunStatus::Queued.as_str().into()]).await?;
        rows.first().map_or(Ok(0), |row| CellReader::new(row).number())
    }
}

fn active() -> [Value; 2] {
    [RunStatus::Running.as_str().into(), RunStatus::Cancelling.as_str().into()]
}
