//! Table `webhook_endpoints`.

use crewd_application::ports::StoreError;
use crewd_domain::shared::{TaskId, WebhookId};
use crewd_domain::webhooks::{Payload, WebhookEndpoint};

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const WEBHOOKS: Table = Table {
    name: "webhook_endpoints",
    key_name: "webhook_id",
    key: &["id"],
    columns: &[
        "id",
        "tenant_id",
        "task_id",
        "created_at",
        "failing_since",
        "url",
        "description",
        "events",
        "payload",
        "secret",
        "previous_secret",
        "previous_secret_until",
        "timeout_seconds",
        "max_concurrent",
        "disabled_at",
        "disabled_reason",
        "version",
    ],
};

/// The columns before this one are not set by a change of the endpoint.
const FIRST_CHANGING: usize = 5;

pub(in crate::persistence) fn write_webhook(cells: &mut CellWriter, endpoint: &WebhookEndpoint) -> Result<(), StoreError> {
    cells.id(endpoint.id.as_uuid());
    cells.text(endpoint.tenant_id.as_str());
    cells.optional_text(endpoint.task_id.map(|task| task.to_string()));
    cells.instant(endpoint.created_at);
    cells.optional_instant(endpoint.failing_since);
    write_webhook_changes(cells, endpoint)
}

/// What an owner may change, in the order of [`update_webhook_sql`].
pub(in crate::persistence) fn write_webhook_changes(
    cells: &mut CellWriter,
    endpoint: &WebhookEndpoint,
) -> Result<(), StoreError> {
    cells.text(&endpoint.url);
    cells.optional_text(endpoint.description.as_deref());
    cells.json(&endpoint.events)?;
    cells.text(endpoint.payload.as_str());
    cells.text(&endpoint.secret);
    let previous = endpoint.previous_secret.as_ref();
    cells.optional_text(previous.map(|(secret, _)| secret.as_str()));
    cells.optional_instant(previous.map(|(_, until)| *until));
    cells.number(u64::from(endpoint.timeout_seconds));
    cells.number(u64::from(endpoint.max_concurrent));
    let disabled = endpoint.disabled.as_ref();
    cells.optional_instant(disabled.map(|(since, _)| *since));
    cells.optional_text(disabled.map(|(_, reason)| reason.as_str()));
    cells.number(endpoint.version);
    Ok(())
}

/// The compare-and-swap of a change. After the changed columns come whether it keeps failing, id, tenant, and the
/// version before. `failing_since` is kept by the reports of attempts: a change may end it, not set it.
pub(in crate::persistence) fn update_webhook_sql() -> String {
    let columns = WEBHOOKS.columns.iter().skip(FIRST_CHANGING);
    let changes: Vec<String> = columns.map(|column| format!("{column} = ?")).collect();
    format!(
        "UPDATE webhook_endpoints SET {}, failing_since = CASE WHEN ? = 1 THEN failing_since ELSE NULL END \
         WHERE id = ? AND tenant_id = ? AND version = ?",
        changes.join(", ")
    )
}

pub(in crate::persistence) fn read_webhook(cells: &mut CellReader<'_>) -> Result<WebhookEndpoint, StoreError> {
    let id = WebhookId::new(cells.id()?);
    let tenant_id = cells.tenant()?;
    let task_id = cells.optional_id()?.map(TaskId::new);
    let created_at = cells.instant()?;
    let failing_since = cells.optional_instant()?;
    Ok(WebhookEndpoint {
        id,
        tenant_id,
        task_id,
        url: cells.text()?,
        description: cells.optional_text()?,
        events: cells.json()?,
        payload: cells.name(Payload::parse)?,
        secret: cells.text()?,
        previous_secret: cells.optional_text()?.zip(cells.optional_instant()?),
        timeout_seconds: cells.count()?,
        max_concurrent: cells.count()?,
        disabled: cells.optional_instant()?.zip(cells.optional_text()?),
        failing_since,
        created_at,
        version: cells.number()?,
    })
}
