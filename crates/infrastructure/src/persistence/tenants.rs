//! Tenants and keys with queued runs, found without reading all queued runs: one jump in the index for each.

use crewd_domain::runs::RunStatus;
use sea_orm::Value;

/// Names the tenants that have queued runs of a class as `heads`, by name. The last row is nothing: leave it out. Its
/// values are those of [`head_values`].
pub(super) const HEADS: &str = "WITH RECURSIVE heads(tenant_id) AS (\
     SELECT MIN(f.tenant_id) FROM runs f WHERE f.status = ? AND f.priority_rank = ? AND f.tenant_id > ? \
     UNION ALL SELECT (SELECT MIN(n.tenant_id) FROM runs n \
     WHERE n.status = ? AND n.priority_rank = ? AND n.tenant_id > h.tenant_id) \
     FROM heads h WHERE h.tenant_id IS NOT NULL)";

/// The values of [`HEADS`]: the class, and the name after which it begins.
pub(super) fn head_values(rank: i16, after: &str) -> Vec<Value> {
    let queued = || Value::from(RunStatus::Queued.as_str());
    vec![queued(), rank.into(), after.into(), queued(), rank.into()]
}

/// Names the concurrency keys of a tenant's queued runs of a class as `key_names`, by name. The last row is nothing: leave it
/// out. Its values are those of [`key_values`].
pub(super) const KEYS: &str = "WITH RECURSIVE key_names(name) AS (\
     SELECT MIN(f.concurrency_key) FROM runs f \
     WHERE f.status = ? AND f.priority_rank = ? AND f.tenant_id = ? AND f.concurrency_key > ? \
     UNION ALL SELECT (SELECT MIN(n.concurrency_key) FROM runs n \
     WHERE n.status = ? AND n.priority_rank = ? AND n.tenant_id = ? AND n.concurrency_key > k.name) \
     FROM key_names k WHERE k.name IS NOT NULL)";

/// The values of [`KEYS`]: the class, the tenant, and the name after which it begins.
pub(super) fn key_values(rank: i16, tenant: &str, after: &str) -> Vec<Value> {
    let queued = || Value::from(RunStatus::Queued.as_str());
    vec![queued(), rank.into(), tenant.into(), after.into(), queued(), rank.into(), tenant.into()]
}
