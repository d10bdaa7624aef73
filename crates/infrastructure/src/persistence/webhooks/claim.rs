//! Who sends what now.

use std::collections::HashMap;
use std::time::Duration;

use crewd_application::ports::{DueDelivery, StoreError};
use crewd_domain::webhooks::DeliveryStatus;
use sea_orm::{DbBackend, Statement, Value};

use super::sea_webhooks::SeaWebhooks;
use crate::persistence::dialect::{in_list, lookups, now_micros};
use crate::persistence::rows::{CellReader, DELIVERIES, OUTBOX, WEBHOOKS, read_delivery, read_webhook};
use crate::persistence::writer::Script;

/// How often it is looked further for endpoints that are not busy, behind the heap of one that is.
const ROUNDS: u32 = 8;
/// Rows that are looked at in a round, for each that is wanted.
const LOOKED_AT: u32 = 4;
/// Nobody sends for longer than a day, and the sum with the present must stay an instant.
const LONGEST_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// A delivery whose time has come.
struct Candidate {
    id: String,
    webhook: String,
    /// When it was to be tried, in microseconds: who finds it unchanged may have it.
    planned: i64,
    max_concurrent: u32,
}

impl SeaWebhooks {
    pub(super) async fn claim_deliveries(&self, limit: u32, lease: Duration) -> Result<Vec<DueDelivery>, StoreError> {
        let chosen = self.choose(limit).await?;
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        let mut script = Script::default();
        for candidate in &chosen {
            script.any(self.take(candidate, lease));
        }
        let changed = self.execute(script).await?;
        let taken = chosen.into_iter().zip(changed).filter(|(_, rows)| *rows == 1).map(|(candidate, _)| candidate.id);
        self.read_due(taken.collect()).await
    }

    /// What is due, longest overdue first, but of no endpoint more than it bears.
    async fn choose(&self, limit: u32) -> Result<Vec<Candidate>, StoreError> {
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut busy = self.in_flight().await?;
        let mut full: Vec<String> =
            busy.iter().filter(|(_, (count, most))| count >= most).map(|(webhook, _)| webhook.clone()).collect();
        let mut chosen: Vec<Candidate> = Vec::new();
        for _ in 0..ROUNDS {
            let looked_at = limit.saturating_mul(LOOKED_AT);
            let due = self.due(looked_at, &full, &chosen).await?;
            let is_all = due.len() < usize::try_from(looked_at).unwrap_or(usize::MAX);
            for candidate in due {
                let (count, most) = busy.entry(candidate.webhook.clone()).or_insert((0, candidate.max_concurrent));
                if *count < *most && chosen.len() < wanted {
                    *count += 1;
                    if *count == *most {
                        full.push(candidate.webhook.clone());
                    }
                    chosen.push(candidate);
                }
            }
            if is_all || chosen.len() >= wanted {
                break;
            }
        }
        Ok(chosen)
    }

    /// Endpoints that are being sent to: how much, and how much they bear.
    async fn in_flight(&self) -> Result<HashMap<String, (u32, u32)>, StoreError> {
        let rows = self.all(in_flight(self.backend()), Vec::new()).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                let (webhook, most) = (cells.text()?, cells.count()?);
                Ok((webhook, (cells.count()?, most)))
            })
            .collect()
    }

    async fn due(&self, limit: u32, full: &[String], chosen: &[Candidate]) -> Result<Vec<Candidate>, StoreError> {
        let chosen: Vec<&str> = chosen.iter().map(|candidate| candidate.id.as_str()).collect();
        let (sql, values) = due_deliveries(self.backend(), limit, full, &chosen);
        let rows = self.all(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                Ok(Candidate {
                    id: cells.text()?,
                    webhook: cells.text()?,
                    planned: cells.signed()?,
                    max_concurrent: cells.count()?,
                })
            })
            .collect()
    }

    /// The compare-and-swap. That the endpoint bears one more is looked at again, for another process may have taken
    /// something else for it. MySQL wants the count of the same table wrapped.
    fn take(&self, candidate: &Candidate, lease: Duration) -> Statement {
        let lease = i64::try_from(lease.min(LONGEST_LEASE).as_micros()).unwrap_or(i64::MAX);
        let sql = format!(
            "UPDATE webhook_deliveries SET attempts = attempts + 1, attempted_at = {now}, next_attempt_at = {now} + ?, \
             lease_until = {now} + ? WHERE id = ? AND status = ? AND next_attempt_at = ? \
             AND (SELECT f.busy FROM (SELECT COUNT(*) AS busy FROM webhook_deliveries o \
             WHERE o.lease_until > {now} AND o.webhook_id = ?) f) < ?",
            now = self.now(),
        );
        let values = vec![
            lease.into(),
            lease.into(),
            candidate.id.as_str().into(),
            DeliveryStatus::Pending.as_str().into(),
            candidate.planned.into(),
            candidate.webhook.as_str().into(),
            i64::from(candidate.max_concurrent).into(),
        ];
        self.statement(sql, values)
    }

    async fn read_due(&self, taken: Vec<String>) -> Result<Vec<DueDelivery>, StoreError> {
        if taken.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = Vec::new();
        let list = in_list(&mut values, taken.iter().map(|id| Value::from(id.as_str())));
        let sql = format!(
            "SELECT {lookups} {delivery}, {message}, {endpoint} FROM webhook_deliveries d JOIN outbox o ON o.id = d.message_id \
             JOIN webhook_endpoints w ON w.id = d.webhook_id WHERE d.id IN ({list}) ORDER BY d.id",
            lookups = lookups(&["d", "o", "w"]),
            delivery = DELIVERIES.columns_of("d"),
            message = OUTBOX.columns_of("o"),
            endpoint = WEBHOOKS.columns_of("w"),
        );
        let rows = self.all(sql, values).await?;
        rows.iter()
            .map(|row| {
                let mut cells = CellReader::new(row);
                Ok(DueDelivery { delivery: read_delivery(&mut cells)?, endpoint: read_webhook(&mut cells)? })
            })
            .collect()
    }
}

/// Endpoints that are being sent to: id, how much they bear, how much it is.
pub(in crate::persistence) fn in_flight(backend: DbBackend) -> String {
    format!(
        "SELECT {} w.id, w.max_concurrent, COUNT(*) FROM webhook_deliveries d JOIN webhook_endpoints w ON w.id = d.webhook_id \
         WHERE d.lease_until > {} GROUP BY w.id, w.max_concurrent",
        lookups(&["d", "w"]),
        now_micros(backend)
    )
}

/// Deliveries whose time has come, longest overdue first, but for those of endpoints that bear no more.
pub(in crate::persistence) fn due_deliveries(
    backend: DbBackend,
    limit: u32,
    full: &[String],
    chosen: &[&str],
) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = vec![DeliveryStatus::Pending.as_str().into()];
    let mut sql = format!(
        "SELECT {} d.id, d.webhook_id, d.next_attempt_at, w.max_concurrent FROM webhook_deliveries d \
         JOIN webhook_endpoints w ON w.id = d.webhook_id \
         WHERE d.status = ? AND d.next_attempt_at <= {} AND w.disabled_at IS NULL",
        lookups(&["d", "w"]),
        now_micros(backend)
    );
    let full: Vec<&str> = full.iter().map(String::as_str).collect();
    for (column, left_out) in [("d.webhook_id", full.as_slice()), ("d.id", chosen)] {
        if !left_out.is_empty() {
            let list = in_list(&mut values, left_out.iter().map(|id| Value::from(*id)));
            sql.push_str(&format!(" AND {column} NOT IN ({list})"));
        }
    }
    sql.push_str(" ORDER BY d.next_attempt_at LIMIT ?");
    values.push(i64::from(limit).into());
    (sql, values)
}
