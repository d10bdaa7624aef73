//! Adding, changing and finding endpoints.

use crewd_application::ports::StoreError;
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::{DeliveryStatus, WebhookEndpoint};
use sea_orm::{Statement, Value};

use super::sea_webhooks::SeaWebhooks;
use crate::persistence::dialect::{OnConflict, inserts};
use crate::persistence::rows::{
    CellReader, CellWriter, WEBHOOKS, read_webhook, update_webhook_sql, write_webhook, write_webhook_changes,
};
use crate::persistence::writer::Script;

impl SeaWebhooks {
    pub(super) async fn insert_endpoint(&self, endpoint: &WebhookEndpoint) -> Result<(), StoreError> {
        let mut cells = CellWriter::default();
        write_webhook(&mut cells, endpoint)?;
        let mut script = Script::default();
        for statement in inserts(self.backend(), &WEBHOOKS, OnConflict::Fail, cells.into_cells()) {
            script.exactly(1, WEBHOOKS.key_name, statement);
        }
        self.execute(script).await.map(drop)
    }

    pub(super) async fn update_endpoint(&self, endpoint: &WebhookEndpoint) -> Result<(), StoreError> {
        let mut cells = CellWriter::default();
        write_webhook_changes(&mut cells, endpoint)?;
        cells.number(u64::from(endpoint.failing_since.is_some()));
        cells.id(endpoint.id.as_uuid());
        cells.text(endpoint.tenant_id.as_str());
        cells.number(endpoint.version.saturating_sub(1));
        let mut script = Script::default();
        script.exactly(1, WEBHOOKS.key_name, self.statement(update_webhook_sql(), cells.into_cells()));
        if endpoint.disabled.is_some() {
            script.any(self.fail_waiting(endpoint.id, "the endpoint is disabled"));
        }
        self.execute(script).await.map(drop)
    }

    pub(super) async fn delete_endpoint(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError> {
        if self.read_endpoint(tenant, id).await?.is_none() {
            return Ok(false);
        }
        let mut script = Script::default();
        let values = vec![id.to_string().into(), tenant.as_str().into()];
        script.any(self.statement("DELETE FROM webhook_endpoints WHERE id = ? AND tenant_id = ?", values));
        script.any(self.fail_waiting(id, "the endpoint is gone"));
        let changed = self.execute(script).await?;
        Ok(changed.first().is_some_and(|rows| *rows == 1))
    }

    /// Ends what waits for an endpoint. What is being sent right now may still arrive, and is then reported so.
    pub(super) fn fail_waiting(&self, id: WebhookId, reason: &str) -> Statement {
        let values = vec![
            DeliveryStatus::Failed.as_str().into(),
            reason.into(),
            id.to_string().into(),
            DeliveryStatus::Pending.as_str().into(),
        ];
        let sql =
            "UPDATE webhook_deliveries SET status = ?, next_attempt_at = NULL, error = ? WHERE webhook_id = ? AND status = ?";
        self.statement(sql, values)
    }

    pub(super) async fn read_endpoint(&self, tenant: &TenantId, id: WebhookId) -> Result<Option<WebhookEndpoint>, StoreError> {
        let sql = format!("SELECT {} FROM webhook_endpoints w WHERE w.id = ? AND w.tenant_id = ?", WEBHOOKS.columns_of("w"));
        let rows = self.all(sql, vec![id.to_string().into(), tenant.as_str().into()]).await?;
        rows.first().map(|row| read_webhook(&mut CellReader::new(row))).transpose()
    }

    pub(super) async fn read_endpoints(
        &self,
        tenant: &TenantId,
        before: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<WebhookEndpoint>, StoreError> {
        let mut values: Vec<Value> = vec![tenant.as_str().into()];
        let mut sql =
            format!("SELECT {} FROM webhook_endpoints w WHERE w.tenant_id = ? AND w.task_id IS NULL", WEBHOOKS.columns_of("w"));
        if let Some(before) = before {
            sql.push_str(" AND w.id < ?");
            values.push(before.to_string().into());
        }
        sql.push_str(" ORDER BY w.id DESC LIMIT ?");
        values.push(i64::from(limit).into());
        let rows = self.all(sql, values).await?;
        rows.iter().map(|row| read_webhook(&mut CellReader::new(row))).collect()
    }
}
