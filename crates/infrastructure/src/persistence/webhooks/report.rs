//! What came of an attempt.

use std::time::Duration;

use crewd_application::ports::{AttemptOutcome, StoreError};
use crewd_domain::shared::WebhookId;
use crewd_domain::webhooks::DeliveryStatus;
use sea_orm::Statement;

use super::sea_webhooks::SeaWebhooks;
use crate::persistence::rows::{CellReader, CellWriter};
use crate::persistence::writer::Script;

/// Nothing is put off for longer than a year, and the sum with the present must stay an instant.
const LONGEST_PAUSE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl SeaWebhooks {
    pub(super) async fn report_attempt(&self, outcome: &AttemptOutcome) -> Result<(), StoreError> {
        let sql = "SELECT webhook_id FROM webhook_deliveries WHERE id = ?";
        let rows = self.all(sql, vec![outcome.delivery_id.to_string().into()]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let webhook = WebhookId::new(CellReader::new(row).id()?);
        let mut script = Script::default();
        script.any(self.outcome(outcome));
        script.any(self.failing(webhook, outcome.status == DeliveryStatus::Delivered));
        if let Some(reason) = &outcome.disable_endpoint {
            script.any(self.disable(webhook, reason));
            script.any(self.fail_waiting(webhook, "the endpoint is disabled"));
        }
        self.execute(script).await.map(drop)
    }

    /// What has arrived has arrived, even if the delivery was given up meanwhile; what has failed is told of only as
    /// long as the delivery waits.
    fn outcome(&self, outcome: &AttemptOutcome) -> Statement {
        let now = self.now();
        let next = match outcome.retry_after.filter(|_| outcome.status == DeliveryStatus::Pending) {
            Some(pause) => {
                let micros = i64::try_from(pause.min(LONGEST_PAUSE).as_micros()).unwrap_or(i64::MAX);
                format!("{now} + {micros}")
            }
            None => "NULL".to_owned(),
        };
        let (delivered, condition) = match outcome.status {
            DeliveryStatus::Delivered => (now, "status <> ?"),
            DeliveryStatus::Pending | DeliveryStatus::Failed => ("NULL", "status = ?"),
        };
        let expected = match outcome.status {
            DeliveryStatus::Delivered => DeliveryStatus::Delivered,
            DeliveryStatus::Pending | DeliveryStatus::Failed => DeliveryStatus::Pending,
        };
        let sql = format!(
            "UPDATE webhook_deliveries SET status = ?, next_attempt_at = {next}, lease_until = NULL, response_status = ?, \
             error = ?, duration_ms = ?, delivered_at = {delivered} WHERE id = ? AND {condition}"
        );
        let mut cells = CellWriter::default();
        cells.text(outcome.status.as_str());
        cells.optional_number(outcome.response_status.map(u64::from));
        cells.optional_text(outcome.error.as_deref());
        cells.number(outcome.duration_ms);
        cells.id(outcome.delivery_id);
        cells.text(expected.as_str());
        self.statement(sql, cells.into_cells())
    }

    /// The clock of failures starts with the first one and ends with a success.
    fn failing(&self, webhook: WebhookId, has_arrived: bool) -> Statement {
        let sql = if has_arrived {
            "UPDATE webhook_endpoints SET failing_since = NULL WHERE id = ? AND failing_since IS NOT NULL".to_owned()
        } else {
            format!("UPDATE webhook_endpoints SET failing_since = {} WHERE id = ? AND failing_since IS NULL", self.now())
        };
        self.statement(sql, vec![webhook.to_string().into()])
    }

    fn disable(&self, webhook: WebhookId, reason: &str) -> Statement {
        let sql = format!(
            "UPDATE webhook_endpoints SET disabled_at = {}, disabled_reason = ?, version = version + 1 \
             WHERE id = ? AND disabled_at IS NULL",
            self.now()
        );
        self.statement(sql, vec![reason.into(), webhook.to_string().into()])
    }
}
