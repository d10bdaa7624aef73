//! Table `idempotency_keys`.

use crewd_application::ports::{IdempotencyRecord, StoreError};
use crewd_domain::shared::TaskId;

use super::cells::{CellReader, CellWriter};
use super::table::Table;

/// How long a first answer is remembered: 24 hours, in microseconds.
pub(in crate::persistence) const KEPT_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

pub(in crate::persistence) const IDEMPOTENCY_KEYS: Table = Table {
    name: "idempotency_keys",
    key_name: "idempotency_key",
    key: &["tenant_id", "route", "idem_key"],
    columns: &["tenant_id", "route", "idem_key", "fingerprint", "task_id", "created_at"],
};

pub(in crate::persistence) fn write_key(cells: &mut CellWriter, record: &IdempotencyRecord) {
    cells.text(record.tenant_id.as_str());
    cells.text(&record.route);
    cells.text(&record.key);
    cells.text(&record.fingerprint);
    cells.id(record.task_id.as_uuid());
    cells.instant(record.created_at);
}

pub(in crate::persistence) fn read_key(cells: &mut CellReader<'_>) -> Result<IdempotencyRecord, StoreError> {
    Ok(IdempotencyRecord {
        tenant_id: cells.tenant()?,
        route: cells.text()?,
        key: cells.text()?,
        fingerprint: cells.text()?,
        task_id: TaskId::new(cells.id()?),
        created_at: cells.instant()?,
    })
}
