//! Table `webhook_deliveries`.

use chrono::{DateTime, Utc};
use crewd_application::ports::{Delivery, OutboxMessage, StoreError};
use crewd_domain::shared::WebhookId;
use crewd_domain::webhooks::DeliveryStatus;
use uuid::Uuid;

use super::cells::{CellReader, CellWriter};
use super::outbox::read_message;
use super::table::Table;

/// The end of an attempt's lease is a column beside these: only claims and reports know it.
pub(in crate::persistence) const DELIVERIES: Table = Table {
    name: "webhook_deliveries",
    key_name: "delivery_id",
    key: &["id"],
    columns: &[
        "id",
        "tenant_id",
        "message_id",
        "webhook_id",
        "status",
        "attempts",
        "next_attempt_at",
        "response_status",
        "error",
        "duration_ms",
        "attempted_at",
        "delivered_at",
        "created_at",
    ],
};

/// A delivery that is due at once.
pub(in crate::persistence) fn write_new_delivery(
    cells: &mut CellWriter,
    id: Uuid,
    message: &OutboxMessage,
    webhook: WebhookId,
    now: DateTime<Utc>,
) {
    cells.id(id);
    cells.text(message.tenant_id.as_str());
    cells.id(message.id);
    cells.id(webhook.as_uuid());
    cells.text(DeliveryStatus::Pending.as_str());
    cells.number(0);
    cells.instant(now);
    cells.optional_number(None);
    cells.optional_text(None::<String>);
    cells.optional_number(None);
    cells.optional_instant(None);
    cells.optional_instant(None);
    cells.instant(now);
}

/// The columns of a delivery, then those of its message.
pub(in crate::persistence) fn read_delivery(cells: &mut CellReader<'_>) -> Result<Delivery, StoreError> {
    let id = cells.id()?;
    let _tenant = cells.tenant()?;
    let _message = cells.id()?;
    let webhook_id = WebhookId::new(cells.id()?);
    let status = cells.name(DeliveryStatus::parse)?;
    let attempts = cells.count()?;
    let next_attempt_at = cells.optional_instant()?;
    let response_status = cells.optional_number()?.and_then(|status| u16::try_from(status).ok());
    Ok(Delivery {
        id,
        webhook_id,
        status,
        attempts,
        next_attempt_at,
        response_status,
        error: cells.optional_text()?,
        duration_ms: cells.optional_number()?,
        attempted_at: cells.optional_instant()?,
        delivered_at: cells.optional_instant()?,
        created_at: cells.instant()?,
        message: read_message(cells)?,
    })
}
