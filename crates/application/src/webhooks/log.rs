//! What was sent, and sending it again.

use chrono::{DateTime, Utc};
use crewd_domain::shared::WebhookId;
use crewd_domain::webhooks::{DeliveryStatus, WebhookEndpoint};
use uuid::Uuid;

use super::service::WebhookService;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::Delivery;

/// Deliveries of a page while failed ones are looked for.
const PAGE: u32 = 200;
/// Deliveries that one call sends again at most.
const MAX_AGAIN: u32 = 10_000;

/// A page of deliveries, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryPage {
    /// The deliveries.
    pub items: Vec<Delivery>,
    /// Where the next page starts, if there is one.
    pub next_before: Option<Uuid>,
}

impl WebhookService {
    /// Deliveries of an endpoint, newest first.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn deliveries(
        &self,
        context: &RequestContext,
        id: WebhookId,
        status: Option<DeliveryStatus>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<DeliveryPage> {
        self.get(context, id).await?;
        let more = limit.saturating_add(1);
        let mut items = self.parts.store.deliveries(&context.tenant, id, status, before, more).await?;
        let has_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_before = items.last().filter(|_| has_more).map(|last| last.id);
        Ok(DeliveryPage { items, next_before })
    }

    /// Sends a delivery again, whatever came of it, with all attempts before it.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` with `webhook_disabled`.
    pub async fn redeliver(&self, context: &RequestContext, id: WebhookId, delivery: Uuid) -> Result<Delivery> {
        self.enabled(context, id).await?;
        let again = self.parts.store.redeliver(&context.tenant, id, delivery).await?;
        self.parts.dispatcher.wake();
        again.ok_or_else(|| Error::not_found("delivery"))
    }

    /// Sends all deliveries again that have failed for good and were made since an instant; how many. At most 10,000 at
    /// a time: asking again sends the rest.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` with `webhook_disabled`.
    pub async fn redeliver_failed(&self, context: &RequestContext, id: WebhookId, since: DateTime<Utc>) -> Result<u32> {
        self.enabled(context, id).await?;
        let (mut before, mut count) = (None, 0_u32);
        while count < MAX_AGAIN {
            let failed = Some(DeliveryStatus::Failed);
            let page = self.parts.store.deliveries(&context.tenant, id, failed, before, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            before = page.last().map(|last| last.id);
            for delivery in page {
                // Ids rise with the instants of the messages, not of the deliveries, which are made a little later.
                if delivery.message.created_at < since {
                    self.parts.dispatcher.wake();
                    return Ok(count);
                }
                let again = self.parts.store.redeliver(&context.tenant, id, delivery.id).await?;
                count = count.saturating_add(u32::from(again.is_some()));
            }
            if is_last {
                break;
            }
        }
        self.parts.dispatcher.wake();
        Ok(count)
    }

    async fn enabled(&self, context: &RequestContext, id: WebhookId) -> Result<WebhookEndpoint> {
        let endpoint = self.get(context, id).await?;
        if endpoint.disabled.is_some() {
            let message = "the webhook is disabled; take it up again first";
            return Err(Error::new(ErrorCode::InvalidState, message).because("webhook_disabled"));
        }
        Ok(endpoint)
    }
}
