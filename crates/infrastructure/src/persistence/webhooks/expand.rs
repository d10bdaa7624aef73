//! Messages become deliveries.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use crewd_application::delivery_id;
use crewd_application::ports::{OutboxMessage, StoreError};
use crewd_domain::shared::TenantId;
use crewd_domain::webhooks::WebhookEndpoint;
use sea_orm::Value;

use super::sea_webhooks::SeaWebhooks;
use crate::persistence::dialect::{in_list, inserts_where};
use crate::persistence::rows::{
    CellReader, CellWriter, DELIVERIES, OUTBOX, WEBHOOKS, read_message, read_webhook, write_new_delivery,
};
use crate::persistence::writer::Script;

/// How often it is looked again when another process was faster.
const ATTEMPTS: u32 = 3;
/// The endpoint may have gone since it was read.
const IS_ENABLED: &str = "EXISTS (SELECT 1 FROM webhook_endpoints w WHERE w.id = v.webhook_id AND w.disabled_at IS NULL)";

impl SeaWebhooks {
    pub(super) async fn expand_messages(&self, limit: u32) -> Result<u32, StoreError> {
        for _ in 0..ATTEMPTS {
            let (now, messages) = self.waiting_messages(limit).await?;
            if messages.is_empty() {
                return Ok(0);
            }
            let endpoints = self.endpoints_for(&messages).await?;
            match self.execute(self.expansion(now, &messages, &endpoints)).await {
                Ok(_) => return Ok(u32::try_from(messages.len()).unwrap_or(u32::MAX)),
                // Another process has turned some of them meanwhile.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }

    async fn waiting_messages(&self, limit: u32) -> Result<(DateTime<Utc>, Vec<OutboxMessage>), StoreError> {
        let sql = format!(
            "SELECT {now}, {message} FROM outbox o WHERE o.expanded_at IS NULL ORDER BY o.id LIMIT ?",
            now = self.now(),
            message = OUTBOX.columns_of("o"),
        );
        let rows = self.all(sql, vec![i64::from(limit).into()]).await?;
        let mut now = DateTime::UNIX_EPOCH;
        let mut messages = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut cells = CellReader::new(row);
            now = cells.instant()?;
            messages.push(read_message(&mut cells)?);
        }
        Ok((now, messages))
    }

    async fn endpoints_for(&self, messages: &[OutboxMessage]) -> Result<HashMap<TenantId, Vec<WebhookEndpoint>>, StoreError> {
        let tenants: BTreeSet<&TenantId> = messages.iter().map(|message| &message.tenant_id).collect();
        let tasks: BTreeSet<_> = messages.iter().map(|message| message.task_id).collect();
        let mut values = Vec::new();
        let tenants = in_list(&mut values, tenants.into_iter().map(|tenant| Value::from(tenant.as_str())));
        let tasks = in_list(&mut values, tasks.into_iter().map(|task| Value::from(task.to_string())));
        let sql = format!(
            "SELECT {} FROM webhook_endpoints w WHERE w.tenant_id IN ({tenants}) \
             AND (w.task_id IS NULL OR w.task_id IN ({tasks})) AND w.disabled_at IS NULL ORDER BY w.id",
            WEBHOOKS.columns_of("w")
        );
        let mut endpoints: HashMap<TenantId, Vec<WebhookEndpoint>> = HashMap::new();
        for row in &self.all(sql, values).await? {
            let endpoint = read_webhook(&mut CellReader::new(row))?;
            endpoints.entry(endpoint.tenant_id.clone()).or_default().push(endpoint);
        }
        Ok(endpoints)
    }

    /// Marks the messages, so that nobody else turns them, and adds their deliveries. A message that nobody wants any
    /// more is forgotten.
    fn expansion(
        &self,
        now: DateTime<Utc>,
        messages: &[OutboxMessage],
        endpoints: &HashMap<TenantId, Vec<WebhookEndpoint>>,
    ) -> Script {
        let mut cells = CellWriter::default();
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        for message in messages {
            let own = endpoints.get(&message.tenant_id).into_iter().flatten();
            let takers: Vec<_> = own.filter(|endpoint| endpoint.wants(message.event, message.task_id)).collect();
            for taker in &takers {
                write_new_delivery(&mut cells, delivery_id(message, taker.id), message, taker.id, now);
            }
            if takers.is_empty() { unwanted.push(message) } else { wanted.push(message) }
        }
        let mut script = Script::default();
        let marks = Value::from(now.timestamp_micros());
        self.each(&mut script, "UPDATE outbox SET expanded_at = ? WHERE", vec![marks], &wanted);
        self.each(&mut script, "DELETE FROM outbox WHERE", Vec::new(), &unwanted);
        for statement in inserts_where(self.backend(), &DELIVERIES, IS_ENABLED, cells.into_cells()) {
            script.any(statement);
        }
        script
    }

    fn each(&self, script: &mut Script, head: &str, mut values: Vec<Value>, messages: &[&OutboxMessage]) {
        if messages.is_empty() {
            return;
        }
        let list = in_list(&mut values, messages.iter().map(|message| Value::from(message.id.to_string())));
        let sql = format!("{head} expanded_at IS NULL AND id IN ({list})");
        script.exactly(u64::try_from(messages.len()).unwrap_or(u64::MAX), OUTBOX.key_name, self.statement(sql, values));
    }
}
