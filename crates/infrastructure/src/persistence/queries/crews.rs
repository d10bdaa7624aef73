//! Stored definitions, remembered answers and business keys.

use chrono::{DateTime, Utc};
use crewd_application::ports::{CrewVersion, DedupRecord, IdempotencyRecord, StoreError, StoredCrew};
use crewd_domain::shared::TenantId;
use sea_orm::Value;

use super::run_queries::SeaRunQueries;
use crate::persistence::rows::{
    CellReader, DEDUP_KEYS, DEFINITIONS, IDEMPOTENCY_KEYS, KEPT_MICROS, read_crew, read_dedup, read_key, read_version,
};

/// Versions of one instant are told apart by their hash, so that "newest" is the same everywhere.
const NEWEST_FIRST: &str = "d.created_at DESC, d.version DESC";

impl SeaRunQueries {
    pub(super) async fn read_crew(&self, tenant: &TenantId, name: &str, version: &str) -> Result<Option<StoredCrew>, StoreError> {
        let columns = DEFINITIONS.columns_of("d");
        let sql = format!("SELECT {columns} FROM definitions d WHERE d.tenant_id = ? AND d.name = ? AND d.version = ?");
        let row = self.first(sql, vec![tenant.as_str().into(), name.into(), version.into()]).await?;
        row.map(|row| read_crew(&mut CellReader::new(&row))).transpose()
    }

    pub(super) async fn read_api_crew(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredCrew>, StoreError> {
        let columns = DEFINITIONS.columns_of("d");
        let sql = format!(
            "SELECT {columns} FROM definitions d WHERE d.tenant_id = ? AND d.name = ? AND d.from_api = ? \
             ORDER BY {NEWEST_FIRST} LIMIT 1"
        );
        let row = self.first(sql, vec![tenant.as_str().into(), name.into(), Value::from(true)]).await?;
        row.map(|row| read_crew(&mut CellReader::new(&row))).transpose()
    }

    pub(super) async fn read_api_crews(&self, tenant: &TenantId) -> Result<Vec<StoredCrew>, StoreError> {
        let columns = DEFINITIONS.columns_of("d");
        let sql = format!(
            "SELECT {columns} FROM definitions d WHERE d.tenant_id = ? AND d.from_api = ? AND NOT EXISTS \
             (SELECT 1 FROM definitions n WHERE n.tenant_id = d.tenant_id AND n.name = d.name AND n.from_api = d.from_api \
             AND (n.created_at > d.created_at OR (n.created_at = d.created_at AND n.version > d.version))) ORDER BY d.name"
        );
        let rows = self.all(sql, vec![tenant.as_str().into(), Value::from(true)]).await?;
        rows.iter().map(|row| read_crew(&mut CellReader::new(row))).collect()
    }

    pub(super) async fn read_crew_versions(&self, tenant: &TenantId, name: &str) -> Result<Vec<CrewVersion>, StoreError> {
        let sql = format!(
            "SELECT d.version, d.from_api, d.created_at FROM definitions d \
             WHERE d.tenant_id = ? AND d.name = ? ORDER BY {NEWEST_FIRST}"
        );
        let rows = self.all(sql, vec![tenant.as_str().into(), name.into()]).await?;
        rows.iter().map(|row| read_version(&mut CellReader::new(row))).collect()
    }

    pub(super) async fn read_idempotency(
        &self,
        tenant: &TenantId,
        route: &str,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let columns = IDEMPOTENCY_KEYS.columns_of("k");
        let sql = format!(
            "SELECT {columns} FROM idempotency_keys k \
             WHERE k.tenant_id = ? AND k.route = ? AND k.idem_key = ? AND k.created_at > ?"
        );
        let oldest = now.timestamp_micros().saturating_sub(KEPT_MICROS);
        let row = self.first(sql, vec![tenant.as_str().into(), route.into(), key.into(), Value::from(oldest)]).await?;
        row.map(|row| read_key(&mut CellReader::new(&row))).transpose()
    }

    pub(super) async fn read_dedup_key(&self, tenant: &TenantId, key: &str) -> Result<Option<DedupRecord>, StoreError> {
        let columns = DEDUP_KEYS.columns_of("k");
        let sql = format!("SELECT {columns} FROM dedup_keys k WHERE k.tenant_id = ? AND k.dedup_key = ?");
        let row = self.first(sql, vec![tenant.as_str().into(), key.into()]).await?;
        row.map(|row| read_dedup(&mut CellReader::new(&row))).transpose()
    }
}
