//! The log of deliveries, and what is taken out of it to be sent again.

use crewd_application::ports::{Delivery, StoreError};
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::DeliveryStatus;
use sea_orm::Value;
use uuid::Uuid;

use super::sea_webhooks::SeaWebhooks;
use crate::persistence::dialect::lookups;
use crate::persistence::rows::{CellReader, DELIVERIES, OUTBOX, read_delivery};
use crate::persistence::writer::Script;

impl SeaWebhooks {
    pub(super) async fn read_deliveries(
        &self,
        tenant: &TenantId,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut values: Vec<Value> = vec![webhook.to_string().into(), tenant.as_str().into()];
        let mut sql = select();
        if let Some(status) = status {
            sql.push_str(" AND d.status = ?");
            values.push(status.as_str().into());
        }
        if let Some(before) = before {
            sql.push_str(" AND d.id < ?");
            values.push(before.to_string().into());
        }
        sql.push_str(" ORDER BY d.id DESC LIMIT ?");
        values.push(i64::from(limit).into());
        let rows = self.all(sql, values).await?;
        rows.iter().map(|row| read_delivery(&mut CellReader::new(row))).collect()
    }

    async fn read_one(&self, tenant: &TenantId, webhook: WebhookId, id: Uuid) -> Result<Option<Delivery>, StoreError> {
        let sql = format!("{} AND d.id = ?", select());
        let rows = self.all(sql, vec![webhook.to_string().into(), tenant.as_str().into(), id.to_string().into()]).await?;
        rows.first().map(|row| read_delivery(&mut CellReader::new(row))).transpose()
    }

    /// Of an endpoint that is disabled, nothing is sent: the delivery stays as it is. Of one that is gone, nothing is
    /// found.
    pub(super) async fn deliver_again(
        &self,
        tenant: &TenantId,
        webhook: WebhookId,
        id: Uuid,
    ) -> Result<Option<Delivery>, StoreError> {
        if self.read_endpoint(tenant, webhook).await?.is_none() || self.read_one(tenant, webhook, id).await?.is_none() {
            return Ok(None);
        }
        let sql = format!(
            "UPDATE webhook_deliveries SET status = ?, attempts = 0, next_attempt_at = {}, lease_until = NULL, \
             delivered_at = NULL WHERE id = ? AND webhook_id = ? AND tenant_id = ? \
             AND EXISTS (SELECT 1 FROM webhook_endpoints w WHERE w.id = ? AND w.disabled_at IS NULL)",
            self.now()
        );
        let values = vec![
            DeliveryStatus::Pending.as_str().into(),
            id.to_string().into(),
            webhook.to_string().into(),
            tenant.as_str().into(),
            webhook.to_string().into(),
        ];
        let mut script = Script::default();
        script.any(self.statement(sql, values));
        self.execute(script).await?;
        self.read_one(tenant, webhook, id).await
    }
}

fn select() -> String {
    format!(
        "SELECT {} {}, {} FROM webhook_deliveries d JOIN outbox o ON o.id = d.message_id WHERE d.webhook_id = ? AND d.tenant_id = ?",
        lookups(&["d", "o"]),
        DELIVERIES.columns_of("d"),
        OUTBOX.columns_of("o")
    )
}
