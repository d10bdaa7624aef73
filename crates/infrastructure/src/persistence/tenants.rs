//! Tenants and keys with queued runs, found without reading all queued runs: one jump in the index for each.

use crewd_domain::runs::RunStatus;
use sea_orm::Value;

use super::info::Capabilities;

/// A `WITH` that names the tenants that have queued runs of a class as `heads`, by name, behind one of them. Its last row may
/// be nothing: leave it out.
pub(super) fn heads(can: Capabilities, rank: i16, after: &str) -> (&'static str, Vec<Value>) {
    let queued = || Value::from(RunStatus::Queued.as_str());
    if can.inner_ranges {
        let sql = "WITH RECURSIVE heads(tenant_id) AS (\
             SELECT MIN(f.tenant_id) FROM runs f WHERE f.status = ? AND f.priority_rank = ? AND f.tenant_id > ? \
             UNION ALL SELECT (SELECT MIN(n.tenant_id) FROM runs n \
             WHERE n.status = ? AND n.priority_rank = ? AND n.tenant_id > h.tenant_id) \
             FROM heads h WHERE h.tenant_id IS NOT NULL)";
        (sql, vec![queued(), rank.into(), after.into(), queued(), rank.into()])
    } else {
        // The columns before it are named for the optimizer: these are the first ones of the index.
        let sql = "WITH heads(tenant_id) AS (SELECT f.tenant_id FROM runs f \
             WHERE f.status = ? AND f.priority_rank = ? AND f.tenant_id > ? GROUP BY f.status, f.priority_rank, f.tenant_id)";
        (sql, vec![queued(), rank.into(), after.into()])
    }
}

/// A `WITH` that names the concurrency keys of a tenant's queued runs of a class as `key_names`, by name, behind one of them.
/// Its last row may be nothing: leave it out.
pub(super) fn key_names(can: Capabilities, rank: i16, tenant: &str, after: &str) -> (&'static str, Vec<Value>) {
    let queued = || Value::from(RunStatus::Queued.as_str());
    if can.inner_ranges {
        let sql = "WITH RECURSIVE key_names(name) AS (\
             SELECT MIN(f.concurrency_key) FROM runs f \
             WHERE f.status = ? AND f.priority_rank = ? AND f.tenant_id = ? AND f.concurrency_key > ? \
             UNION ALL SELECT (SELECT MIN(n.concurrency_key) FROM runs n \
             WHERE n.status = ? AND n.priority_rank = ? AND n.tenant_id = ? AND n.concurrency_key > k.name) \
             FROM key_names k WHERE k.name IS NOT NULL)";
        (sql, vec![queued(), rank.into(), tenant.into(), after.into(), queued(), rank.into(), tenant.into()])
    } else {
        let sql = "WITH key_names(name) AS (SELECT f.concurrency_key FROM runs f \
             WHERE f.status = ? AND f.priority_rank = ? AND f.tenant_id = ? AND f.concurrency_key > ? \
             GROUP BY f.status, f.priority_rank, f.tenant_id, f.concurrency_key)";
        (sql, vec![queued(), rank.into(), tenant.into(), after.into()])
    }
}

/// Whether a tenant has queued runs of a class with a key; both are given as SQL.
pub(super) fn has_keys(can: Capabilities, rank: &str, tenant: &str) -> String {
    let of = format!("FROM runs k WHERE k.status = 'queued' AND k.priority_rank = {rank} AND k.tenant_id = {tenant}");
    if can.inner_ranges {
        format!("EXISTS (SELECT 1 {of} AND k.concurrency_key > '')")
    } else {
        // Runs without a key come first in the index.
        format!("(SELECT k.concurrency_key {of} ORDER BY k.concurrency_key DESC LIMIT 1) IS NOT NULL")
    }
}
