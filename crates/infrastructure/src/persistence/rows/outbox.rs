//! Table `outbox`.

use crewd_application::ports::{OutboxMessage, StoreError};
use crewd_domain::shared::{RunId, TaskId};
use crewd_domain::webhooks::WebhookEvent;

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const OUTBOX: Table = Table {
    name: "outbox",
    key_name: "message_id",
    key: &["id"],
    columns: &["id", "tenant_id", "task_id", "run_id", "type", "seq", "payload", "created_at"],
};

pub(in crate::persistence) fn write_message(cells: &mut CellWriter, message: &OutboxMessage) {
    cells.id(message.id);
    cells.text(message.tenant_id.as_str());
    cells.id(message.task_id.as_uuid());
    cells.id(message.run_id.as_uuid());
    cells.text(message.event.as_str());
    cells.number(message.seq);
    cells.text(&message.data);
    cells.instant(message.created_at);
}

pub(in crate::persistence) fn read_message(cells: &mut CellReader<'_>) -> Result<OutboxMessage, StoreError> {
    Ok(OutboxMessage {
        id: cells.id()?,
        tenant_id: cells.tenant()?,
        task_id: TaskId::new(cells.id()?),
        run_id: RunId::new(cells.id()?),
        event: cells.name(WebhookEvent::parse)?,
        seq: cells.number()?,
        data: cells.text()?,
        created_at: cells.instant()?,
    })
}
