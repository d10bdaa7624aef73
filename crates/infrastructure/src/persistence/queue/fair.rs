//! Places in the queue, loads of tenants, and aging.

use crewd_application::ports::{QueuePlace, StoreError, TenantLoad};
use crewd_domain::runs::{Priority, RunStatus};
use crewd_domain::shared::{RunId, TenantId};
use sea_orm::{DbBackend, Value};

use super::SeaRunQueue;
use crate::persistence::dialect::{in_list, lookups, now_micros, statement};
use crate::persistence::info::Capabilities;
use crate::persistence::rows::CellReader;
use crate::persistence::tenants::heads;
use crate::persistence::writer::Script;

/// Tenants whose queues are counted in one question.
const TENANTS_AT_ONCE: usize = 64;
/// Runs that move up at once; those behind them do so the next time.
const MOVES: i64 = 1_000;

impl SeaRunQueue {
    /// Before a run come those of better classes, the older ones of its own tenant, and of each other tenant of its
    /// class one more than that.
    pub(super) async fn read_position(&self, tenant: &TenantId, id: RunId, limit: u32) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT r.priority_rank, r.created_at FROM runs r WHERE r.id = ? AND r.tenant_id = ? AND r.status = ?";
        let values = vec![id.to_string().into(), tenant.as_str().into(), RunStatus::Queued.as_str().into()];
        let rows = self.read(sql.to_owned(), values).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut cells = CellReader::new(row);
        let (rank, created_at) = (cells.small()?, cells.signed()?);
        let (sql, values) = before_own(tenant, (rank, created_at, id), limit);
        let rows = self.read(sql, values).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let mut cells = CellReader::new(row);
        let (better, older, has_others) = (cells.number()?, cells.number()?, cells.number()? > 0);
        let others =
            if has_others { self.turns_of_others(tenant, rank, older.saturating_add(1), limit).await? } else { Vec::new() };
        let position = others.into_iter().fold(better.saturating_add(older), u64::saturating_add);
        Ok(Some(position.min(limit.into())))
    }

    /// How many runs of a class each other tenant has queued, each counted up to `turns`; no more tenants when they make
    /// `limit` together.
    async fn turns_of_others(&self, tenant: &TenantId, rank: i16, turns: u64, limit: u32) -> Result<Vec<u64>, StoreError> {
        let (mut counts, mut total, mut last) = (Vec::new(), 0_u64, String::new());
        while total < u64::from(limit) {
            let (sql, values) = queued_tenants(self.can, rank, &last, TENANTS_AT_ONCE);
            let rows = self.read(sql, values).await?;
            let names = rows.iter().map(|row| CellReader::new(row).text()).collect::<Result<Vec<String>, StoreError>>()?;
            let Some(newest) = names.last() else { break };
            last.clone_from(newest);
            let is_all = names.len() < TENANTS_AT_ONCE;
            let others: Vec<String> = names.into_iter().filter(|name| name != tenant.as_str()).collect();
            if let Some((sql, values)) = turns_of(&others, rank, turns) {
                for row in &self.read(sql, values).await? {
                    let count = CellReader::new(row).number()?;
                    total = total.saturating_add(count);
                    counts.push(count);
                }
            }
            if is_all {
                break;
            }
        }
        Ok(counts)
    }

    /// The places of all queued runs of a tenant: its runs are read whole, what stands before each class is counted once.
    pub(super) async fn read_line(&self, tenant: &TenantId, limit: u32) -> Result<Option<Vec<QueuePlace>>, StoreError> {
        let (sql, values) = own_queued(tenant, limit);
        let rows = self.read(sql, values).await?;
        if rows.len() > limit as usize {
            return Ok(None);
        }
        let mut own = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut cells = CellReader::new(row);
            let (rank, created_at) = (cells.small()?, cells.signed()?);
            own.push((rank, created_at, RunId::new(cells.id()?)));
        }
        own.sort_unstable();
        let mut line = Vec::with_capacity(own.len());
        for class in own.chunk_by(|one, next| one.0 == next.0) {
            let Some(oldest) = class.first() else { continue };
            let (sql, values) = before_own(tenant, *oldest, limit);
            let rows = self.read(sql, values).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            let mut cells = CellReader::new(row);
            // The oldest one may have found an older one meanwhile; it is not in this line yet.
            let (better, _, has_others) = (cells.number()?, cells.number()?, cells.number()? > 0);
            let most = u64::try_from(class.len()).unwrap_or(u64::MAX);
            let others = if has_others { self.turns_of_others(tenant, oldest.0, most, limit).await? } else { Vec::new() };
            for ((rank, _, run), older) in class.iter().zip(0_u64..) {
                let turns = others.iter().map(|count| (*count).min(older.saturating_add(1)));
                let before = turns.fold(better.saturating_add(older), u64::saturating_add);
                line.push(QueuePlace { run: *run, priority: Priority::from_rank(*rank), before });
            }
        }
        Ok(line.iter().all(|place| place.before < limit.into()).then_some(line))
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

/// How many runs are queued in better classes than a queued run's, how many of its class and tenant are older, and whether
/// another tenant has any of its class. That is asked before they are looked for: where there is one tenant, its many runs
/// are not walked over.
pub(in crate::persistence) fn before_own(
    tenant: &TenantId,
    (rank, created_at, id): (i16, i64, RunId),
    limit: u32,
) -> (String, Vec<Value>) {
    let sql = "SELECT \
         (SELECT COUNT(*) FROM (SELECT 1 AS one FROM runs b WHERE b.status = ? AND b.priority_rank < ? LIMIT ?) c), \
         (SELECT COUNT(*) FROM (SELECT 1 AS one FROM runs o WHERE o.status = ? AND o.priority_rank = ? \
         AND o.tenant_id = ? AND o.created_at <= ? AND (o.created_at < ? OR o.id < ?) LIMIT ?) d), \
         CASE WHEN EXISTS (SELECT 1 FROM runs f WHERE f.status = ? AND f.priority_rank = ? AND f.tenant_id < ?) \
         OR EXISTS (SELECT 1 FROM runs k WHERE k.status = ? AND k.priority_rank = ? AND k.tenant_id > ?) THEN 1 ELSE 0 END";
    let limit = Value::from(i64::from(limit));
    let queued = || Value::from(RunStatus::Queued.as_str());
    let values = vec![
        queued(),
        rank.into(),
        limit.clone(),
        queued(),
        rank.into(),
        tenant.as_str().into(),
        created_at.into(),
        created_at.into(),
        id.to_string().into(),
        limit,
        queued(),
        rank.into(),
        tenant.as_str().into(),
        queued(),
        rank.into(),
        tenant.as_str().into(),
    ];
    (sql.to_owned(), values)
}

/// Queued runs of a tenant, `limit` of each class and one more.
pub(in crate::persistence) fn own_queued(tenant: &TenantId, limit: u32) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    let classes = Priority::ALL.iter().map(|priority| {
        values.extend([RunStatus::Queued.as_str().into(), priority.rank().into(), tenant.as_str().into()]);
        values.push(i64::from(limit).saturating_add(1).into());
        "SELECT c.* FROM (SELECT r.priority_rank, r.created_at, r.id FROM runs r \
         WHERE r.status = ? AND r.priority_rank = ? AND r.tenant_id = ? LIMIT ?) c"
    });
    (classes.collect::<Vec<_>>().join(" UNION ALL "), values)
}

/// The tenants that have queued runs of a class, by name, behind one of them.
pub(in crate::persistence) fn queued_tenants(can: Capabilities, rank: i16, after: &str, limit: usize) -> (String, Vec<Value>) {
    let (heads, mut values) = heads(can, rank, after);
    let sql = format!("{heads} SELECT h.tenant_id FROM heads h WHERE h.tenant_id IS NOT NULL LIMIT ?");
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    (sql, values)
}

/// How many runs of each of some tenants are queued in a class, each counted up to `turns`. MariaDB takes no derived table
/// that refers to what is around it, so that each tenant is named.
pub(in crate::persistence) fn turns_of(tenants: &[String], rank: i16, turns: u64) -> Option<(String, Vec<Value>)> {
    let last = tenants.last()?;
    let mut values = Vec::new();
    // Few different texts, so that prepared statements are found again.
    let padded = tenants.iter().map(|tenant| (tenant, turns)).chain(std::iter::repeat((last, 0)));
    let parts: Vec<String> = padded
        .take(tenants.len().next_power_of_two())
        .map(|(tenant, turns)| {
            values.push(RunStatus::Queued.as_str().into());
            values.push(rank.into());
            values.push(tenant.as_str().into());
            values.push(i64::try_from(turns).unwrap_or(i64::MAX).into());
            "SELECT COUNT(*) FROM (SELECT 1 AS one FROM runs o WHERE o.status = ? AND o.priority_rank = ? AND o.tenant_id = ? \
             LIMIT ?) c"
                .to_owned()
        })
        .collect();
    Some((parts.join(" UNION ALL "), values))
}

/// Queued runs of a class that have waited for longer than it takes to leave it: the aging time once for each class
/// they have come down from their task's. The index tells the age; the cross join says that it is read first.
pub(in crate::persistence) fn aged_runs(backend: DbBackend, rank: i16, aging: i64) -> (String, Vec<Value>) {
    let now = now_micros(backend);
    let lookups = lookups(&["r", "t"]);
    let sql = format!(
        "SELECT {lookups} r.id FROM runs r CROSS JOIN tasks t WHERE r.status = ? AND r.priority_rank = ? AND r.created_at <= {now} - ? \
         AND t.id = r.task_id AND r.created_at <= {now} - ? * (t.priority_rank - ? + 1) LIMIT ?"
    );
    let queued = RunStatus::Queued.as_str();
    (sql, vec![queued.into(), rank.into(), aging.into(), aging.into(), i64::from(rank).into(), MOVES.into()])
}
