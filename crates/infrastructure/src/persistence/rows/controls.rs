//! Table `run_inbox`.

use crewd_application::ports::{ControlItem, ControlRequest, StoreError};
use crewd_domain::shared::{RunId, TaskId, TenantId};

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const CONTROLS: Table = Table {
    name: "run_inbox",
    key_name: "control_id",
    key: &["id"],
    columns: &["id", "run_id", "task_id", "payload", "kind", "tenant_id"],
};

pub(in crate::persistence) fn write_control(
    cells: &mut CellWriter,
    item: &ControlItem,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    cells.id(item.id);
    cells.id(item.run_id.as_uuid());
    cells.id(item.task_id.as_uuid());
    cells.json(&item.request)?;
    cells.text(match item.request {
        ControlRequest::Cancel(_) => "cancel",
        ControlRequest::Pause { .. } => "pause",
        ControlRequest::Resume { .. } => "resume",
        ControlRequest::Decided { .. } => "decided",
        ControlRequest::Message { .. } => "message",
    });
    cells.text(tenant.as_str());
    Ok(())
}

pub(in crate::persistence) fn read_control(cells: &mut CellReader<'_>) -> Result<ControlItem, StoreError> {
    Ok(ControlItem {
        id: cells.id()?,
        run_id: RunId::new(cells.id()?),
        task_id: TaskId::new(cells.id()?),
        request: cells.json()?,
    })
}
