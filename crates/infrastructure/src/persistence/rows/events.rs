//! Table `run_events`.

use crewd_application::ports::StoreError;
use crewd_domain::runs::{Event, EventKind, StepPath};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use serde_json::value::RawValue;

use super::cells::{CellReader, CellWriter};
use super::table::Table;

/// Grows when the meaning of a stored payload changes.
const SCHEMA_VERSION: i16 = 1;

pub(in crate::persistence) const EVENTS: Table = Table {
    name: "run_events",
    key_name: "event_seq",
    key: &["task_id", "seq"],
    columns: &["task_id", "seq", "run_id", "type", "step_path", "ts", "payload", "tenant_id", "epoch", "schema_version"],
};

/// `epoch` is that of the lease under which the event was written, 0 without one.
pub(in crate::persistence) fn write_event(cells: &mut CellWriter, event: &Event, tenant: &TenantId, epoch: u64) {
    cells.id(event.task_id.as_uuid());
    cells.number(event.seq);
    cells.id(event.run_id.as_uuid());
    cells.text(event.kind.as_str());
    cells.optional_text(event.step.as_ref().map(StepPath::as_str));
    cells.instant(event.at);
    cells.text(event.data.get());
    cells.text(tenant.as_str());
    cells.number(epoch);
    cells.small(SCHEMA_VERSION);
}

pub(in crate::persistence) fn read_event(cells: &mut CellReader<'_>) -> Result<Event, StoreError> {
    Ok(Event {
        task_id: TaskId::new(cells.id()?),
        seq: cells.number()?,
        run_id: RunId::new(cells.id()?),
        kind: cells.name(EventKind::parse)?,
        step: cells.optional_text()?.map(StepPath::from_stored),
        at: cells.instant()?,
        data: RawValue::from_string(cells.text()?).map_err(|error| StoreError::Corrupt(error.to_string()))?,
    })
}
