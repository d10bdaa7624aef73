//! Places in the queue, loads of tenants, and aging.

use crewd_application::ports::{StoreError, TenantLoad};
use crewd_domain::runs::{Priority, RunStatus};
use crewd_domain::shared::{RunId, TenantId};
use sea_orm::{DbBackend, Value};

use super::SeaRunQueue;
use crate::persistence::dialect::{in_list, now_micros, statement};
use crate::persistence::rows::CellReader;
use crate::persistence::tenants::{HEADS, head_values};
use crate::persistence::writer::Script;

/// Runs that move up at once; those behind them do so the next time.
const MOVES: i64 = 1_000;

impl SeaRunQueue {
    /// Before a run come those of better classes, the older ones of its own tenant, and of each other tenant of its
    /// class one more than that.
    pub(super) async fn read_position(&self, tenant: &TenantId, id: RunId, limit: u32) -> Result<Option<u64>, StoreError> {
        let (sql, values) = own_position(tenant, id, limit);
        let rows = self.read(sql, values).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut cells = CellReader::new(row);
        let (rank, better, older) = (cells.small()?, cells.number()?, cells.number()?);
        let mut position = better.saturating_add(older);
        if position < u64::from(limit) {
            let (sql, values) = other_tenants(tenant, rank, older.saturating_add(1), limit);
            for row in &self.read(sql, values).await? {
                position = position.saturating_add(CellReader::new(row).number()?);
            }
        }
        Ok(Some(position.min(limit.into())))
    }

    pub(super) async fn read_load(&self, tenant: &TenantId, limit: u32) -> Result<TenantLoad, StoreError> {
        let count = "(SELECT COUNT(*) FROM (SELECT 1 AS one FROM runs r WHERE r.tenant_id = ? AND r.status IN (?, ?) LIMIT ?) c)";
        let mut values: Vec<Value> = Vec::with_capacity(8);
        for statuses in [[RunStatus::Queued, RunStatus::Scheduled], [RunStatus::Running, RunStatus::Cancelling]] {
            values.push(tenant.as_str().into());
            values.extend(statuses.map(|status| Value::from(status.as_str())));
            values.push(i64::from(limit).into());
        }
        let rows = self.read(format!("SELECT {count}, {count}"), values).await?;
        let Some(row) = rows.first() else { return Ok(TenantLoad::default()) };
        let mut cells = CellReader::new(row);
        Ok(TenantLoad { queued: cells.number()?, active: cells.number()? })
    }

    /// Looks first, and writes only where there is something to move.
    pub(super) async fn move_up(&self) -> Result<u64, StoreError> {
        let backend = self.readers.backend();
        let aging = i64::try_from(self.fairness.aging.as_micros()).unwrap_or(i64::MAX / 8).clamp(1, i64::MAX / 8);
        let mut script = Script::default();
        let mut is_empty = true;
        // A better class first, so that nothing moves two classes at once.
        for rank in Priority::ALL.iter().map(|priority| priority.rank()).filter(|rank| *rank > 0) {
            let (sql, values) = aged_runs(backend, rank, aging);
            let rows = self.read(sql, values).await?;
            if rows.is_empty() {
                continue;
            }
            is_empty = false;
            let ids = rows.iter().map(|row| CellReader::new(row).text()).collect::<Result<Vec<String>, StoreError>>()?;
            let mut values = vec![RunStatus::Queued.as_str().into(), Value::from(rank)];
            let list = in_list(&mut values, ids.into_iter().map(Value::from));
            let sql = format!(
                "UPDATE runs SET priority_rank = priority_rank - 1 WHERE status = ? AND priority_rank = ? AND id IN ({list})"
            );
            script.any(statement(backend, sql, values));
        }
        if is_empty { Ok(0) } else { Ok(self.writer.execute(script).await?.into_iter().sum()) }
    }
}

/// The class of a queued run, how many are queued in better classes, and how many of its tenant are older.
pub(in crate::persistence) fn own_position(tenant: &TenantId, id: RunId, limit: u32) -> (String, Vec<Value>) {
    let sql = "SELECT r.priority_rank, \
         (SELECT COUNT(*) FROM (SELECT 1 AS one FROM runs b WHERE b.status = r.status AND b.priority_rank < r.priority_rank \
         LIMIT ?) c), \
         (SELECT COUNT(*) FROM (SELECT 1 AS one FROM runs o WHERE o.status = r.status AND o.priority_rank = r.priority_rank \
         AND o.tenant_id = r.tenant_id AND o.created_at <= r.created_at AND (o.created_at < r.created_at OR o.id < r.id) \
         LIMIT ?) d) \
         FROM runs r WHERE r.id = ? AND r.tenant_id = ? AND r.status = ?";
    let limit = Value::from(i64::from(limit));
    let queued = RunStatus::Queued.as_str();
    (sql.to_owned(), vec![limit.clone(), limit, id.to_string().into(), tenant.as_str().into(), queued.into()])
}

/// How many runs of each other tenant of a class are queued, each counted up to `turns`.
pub(in crate::persistence) fn other_tenants(tenant: &TenantId, rank: i16, turns: u64, limit: u32) -> (String, Vec<Value>) {
    let sql = format!(
        "{HEADS} SELECT (SELECT COUNT(*) FROM (SELECT 1 AS one FROM runs o WHERE o.status = ? AND o.priority_rank = ? \
         AND o.tenant_id = h.tenant_id LIMIT ?) c) FROM heads h WHERE h.tenant_id IS NOT NULL AND h.tenant_id <> ? LIMIT ?"
    );
    let mut values = head_values(rank, "");
    values.push(RunStatus::Queued.as_str().into());
    values.push(rank.into());
    values.push(i64::try_from(turns).unwrap_or(i64::MAX).into());
    values.push(tenant.as_str().into());
    values.push(i64::from(limit).into());
    (sql, values)
}

/// Queued runs of a class that have waited for longer than it takes to leave it: the aging time once for each class
/// they have come down from their task's. The index tells the age; the cross join says that it is read first.
pub(in crate::persistence) fn aged_runs(backend: DbBackend, rank: i16, aging: i64) -> (String, Vec<Value>) {
    let now = now_micros(backend);
    let sql = format!(
        "SELECT r.id FROM runs r CROSS JOIN tasks t WHERE r.status = ? AND r.priority_rank = ? AND r.created_at <= {now} - ? \
         AND t.id = r.task_id AND r.created_at <= {now} - ? * (t.priority_rank - ? + 1) LIMIT ?"
    );
    let queued = RunStatus::Queued.as_str();
    (sql, vec![queued.into(), rank.into(), aging.into(), aging.into(), i64::from(rank).into(), MOVES.into()])
}
