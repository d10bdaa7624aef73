//! Table `dedup_keys`.

use crewd_application::ports::{DEDUP_KEY, DedupRecord, StoreError};
use crewd_domain::shared::TaskId;

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const DEDUP_KEYS: Table = Table {
    name: "dedup_keys",
    key_name: DEDUP_KEY,
    key: &["tenant_id", "dedup_key"],
    columns: &["tenant_id", "dedup_key", "task_id", "expires_at"],
};

pub(in crate::persistence) fn write_dedup(cells: &mut CellWriter, record: &DedupRecord) {
    cells.text(record.tenant_id.as_str());
    cells.text(&record.key);
    cells.id(record.task_id.as_uuid());
    cells.optional_instant(record.expires_at);
}

/// What a holder has replaced is not kept.
pub(in crate::persistence) fn read_dedup(cells: &mut CellReader<'_>) -> Result<DedupRecord, StoreError> {
    Ok(DedupRecord {
        tenant_id: cells.tenant()?,
        key: cells.text()?,
        task_id: TaskId::new(cells.id()?),
        expires_at: cells.optional_instant()?,
        replaces: None,
    })
}
