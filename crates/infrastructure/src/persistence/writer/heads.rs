//! The questions by which queued runs are found that may be taken next.

use crewd_application::ports::Fairness;
use crewd_domain::runs::RunStatus;
use sea_orm::{DbBackend, Value};

use crate::persistence::dialect::{for_claim, in_list, lookups, now_micros};
use crate::persistence::info::Capabilities;
use crate::persistence::rows::{RUNS, TASKS};
use crate::persistence::tenants::{has_keys, heads, key_names};

/// Whether a row at the head of the queue is not simply what comes next: further on in its class another tenant has
/// queued runs, or its own one has some with a key.
fn takes_turns(can: Capabilities) -> String {
    let has_keys = has_keys(can, "r.priority_rank", "r.tenant_id");
    format!(
        "CASE WHEN r.tenant_id = (SELECT m.tenant_id FROM runs m WHERE m.status = 'queued' \
         AND m.priority_rank = r.priority_rank ORDER BY m.tenant_id DESC LIMIT 1) AND NOT ({has_keys}) THEN 0 ELSE 1 END"
    )
}

/// How many runs of a tenant are worked on, or nothing to count.
pub(in crate::persistence) fn active(fairness: Fairness, tenant: &str) -> String {
    if fairness.max_active_per_tenant == u32::MAX {
        return "0".to_owned();
    }
    format!("(SELECT COUNT(*) FROM runs c WHERE c.tenant_id = {tenant} AND c.status IN ('running', 'cancelling'))")
}

/// The present, the length of the log, whether turns are to be taken, how many runs of the tenant are worked on, the run
/// and its task.
fn select(backend: DbBackend, takes_turns: &str, active: &str) -> String {
    format!(
        "SELECT {lookups} {now}, (SELECT COALESCE(MAX(e.seq), 0) FROM run_events e WHERE e.task_id = r.task_id), {takes_turns}, {active}, \
         {run}, {task} FROM runs r JOIN tasks t ON t.id = r.task_id",
        lookups = lookups(&["r", "t"]),
        now = now_micros(backend),
        run = RUNS.columns_of("r"),
        task = TASKS.columns_of("t"),
    )
}

/// The head of the queue as it lies in the index: what comes next where no turns are to be taken.
pub(in crate::persistence) fn first_runs(
    (backend, can): (DbBackend, Capabilities),
    fairness: Fairness,
    limit: u32,
) -> (String, Vec<Value>) {
    let sql = format!(
        "{select} WHERE r.status = ? ORDER BY r.priority_rank, r.tenant_id, r.concurrency_key, r.created_at LIMIT ?{lock}",
        select = select(backend, &takes_turns(can), &active(fairness, "r.tenant_id")),
        lock = for_claim(backend, can.skip_locked),
    );
    (sql, vec![RunStatus::Queued.as_str().into(), i64::from(limit).into()])
}

/// Those of some runs that are still queued.
pub(super) fn chosen_runs((backend, skip_locked): (DbBackend, bool), ids: impl Iterator<Item = Value>) -> (String, Vec<Value>) {
    let mut values = vec![RunStatus::Queued.as_str().into()];
    let list = in_list(&mut values, ids);
    let lock = for_claim(backend, skip_locked);
    (format!("{} WHERE r.status = ? AND r.id IN ({list}){lock}", select(backend, "0", "0")), values)
}

/// Tenants with queued runs of a class and room for more, by name: how many of their runs are worked on, and whether some
/// of the queued ones have a key.
pub(in crate::persistence) fn tenants(
    can: Capabilities,
    fairness: Fairness,
    rank: i16,
    (after, until): (&str, Option<&str>),
    limit: usize,
) -> (String, Vec<Value>) {
    let active = active(fairness, "h.tenant_id");
    let (heads, mut values) = heads(can, rank, after);
    let has_keys = has_keys(can, "?", "h.tenant_id");
    let mut sql = format!(
        "{heads} SELECT h.tenant_id, {active}, CASE WHEN {has_keys} THEN 1 ELSE 0 END \
         FROM heads h WHERE h.tenant_id IS NOT NULL AND {active} < ?"
    );
    values.extend([rank.into(), i64::from(fairness.max_active_per_tenant).into()]);
    if let Some(until) = until {
        sql.push_str(" AND h.tenant_id <= ?");
        values.push(until.into());
    }
    sql.push_str(" LIMIT ?");
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    (sql, values)
}

/// The oldest runs without a key of some tenants, each with a limit of its own: the tenant's place in the list, age, id.
pub(in crate::persistence) fn oldest_runs(rank: i16, tenants: &[(&str, u64)]) -> Option<(String, Vec<Value>)> {
    let last = tenants.last()?.0;
    let mut values = Vec::new();
    // Few different texts, so that prepared statements are found again.
    let padded = tenants.iter().copied().chain(std::iter::repeat((last, 0))).take(tenants.len().next_power_of_two());
    let parts: Vec<String> = padded
        .enumerate()
        .map(|(place, (tenant, limit))| {
            values.push(RunStatus::Queued.as_str().into());
            values.push(rank.into());
            values.push(tenant.into());
            values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
            format!(
                "SELECT p.place, p.created_at, p.id FROM (SELECT {place} AS place, r.created_at AS created_at, r.id AS id \
                 FROM runs r WHERE r.status = ? AND r.priority_rank = ? AND r.tenant_id = ? AND r.concurrency_key IS NULL \
                 ORDER BY r.created_at LIMIT ?) p"
            )
        })
        .collect();
    Some((format!("{} ORDER BY 1, 2, 3", parts.join(" UNION ALL ")), values))
}

/// Keys of a tenant's queued runs of a class that no run is worked on with, by name, each with its oldest run: age, id.
pub(in crate::persistence) fn free_keys(
    can: Capabilities,
    rank: i16,
    tenant: &str,
    (after, until): (&str, Option<&str>),
    limit: usize,
) -> (String, Vec<Value>) {
    let oldest = |column: &str| {
        format!(
            "(SELECT r.{column} FROM runs r WHERE r.status = 'queued' AND r.priority_rank = ? AND r.tenant_id = ? \
             AND r.concurrency_key = k.name ORDER BY r.created_at LIMIT 1)"
        )
    };
    let (key_names, mut values) = key_names(can, rank, tenant, after);
    let mut sql = format!(
        "{key_names} SELECT k.name, {}, {} FROM key_names k WHERE k.name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs a \
         WHERE a.tenant_id = ? AND a.concurrency_key = k.name AND a.status IN ('running', 'cancelling'))",
        oldest("created_at"),
        oldest("id"),
    );
    values.extend([rank.into(), tenant.into(), rank.into(), tenant.into(), tenant.into()]);
    if let Some(until) = until {
        sql.push_str(" AND k.name <= ?");
        values.push(until.into());
    }
    sql.push_str(" LIMIT ?");
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    (sql, values)
}
