//! Endpoints and deliveries of the fake.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::{DeliveryStatus, WebhookEndpoint};
use uuid::Uuid;

use super::hooks::{Hooks, StoredDelivery};
use super::store::InMemoryStore;
use crate::outbox::delivery_id;
use crate::ports::{AttemptOutcome, Delivery, DueDelivery, OutboxMessage, StoreError, WebhookStore};

#[async_trait]
impl WebhookStore for InMemoryStore {
    async fn insert(&self, endpoint: WebhookEndpoint) -> Result<(), StoreError> {
        self.state().hooks.insert_webhook(endpoint)
    }

    async fn update(&self, endpoint: WebhookEndpoint) -> Result<(), StoreError> {
        let mut state = self.state();
        let known = state.hooks.webhooks.get(&endpoint.id).filter(|known| known.tenant_id == endpoint.tenant_id);
        let known = known.filter(|known| known.version.saturating_add(1) == endpoint.version).ok_or(StoreError::Conflict)?;
        let (id, is_disabled) = (endpoint.id, endpoint.disabled.is_some());
        // A change may end the clock of failures, not set it.
        let failing_since = known.failing_since.filter(|_| endpoint.failing_since.is_some());
        let (task_id, created_at) = (known.task_id, known.created_at);
        state.hooks.webhooks.insert(id, Arc::new(WebhookEndpoint { failing_since, task_id, created_at, ..endpoint }));
        if is_disabled {
            state.hooks.fail_waiting(id, "the endpoint is disabled");
        }
        Ok(())
    }

    async fn delete(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError> {
        let hooks = &mut self.state().hooks;
        if hooks.webhooks.get(&id).is_none_or(|known| known.tenant_id != *tenant) {
            return Ok(false);
        }
        hooks.webhooks.remove(&id);
        hooks.fail_waiting(id, "the endpoint is gone");
        Ok(true)
    }

    async fn endpoint(&self, tenant: &TenantId, id: WebhookId) -> Result<Option<WebhookEndpoint>, StoreError> {
        let state = self.state();
        Ok(state.hooks.webhooks.get(&id).filter(|known| known.tenant_id == *tenant).map(|known| known.as_ref().clone()))
    }

    async fn endpoints(
        &self,
        tenant: &TenantId,
        before: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<WebhookEndpoint>, StoreError> {
        let state = self.state();
        let newest_first = state.hooks.webhooks.values().rev().map(Arc::as_ref);
        let listed = newest_first.filter(|one| one.tenant_id == *tenant && one.task_id.is_none());
        Ok(listed.filter(|one| before.is_none_or(|before| one.id < before)).take(size(limit)).cloned().collect())
    }

    async fn expand(&self, limit: u32) -> Result<u32, StoreError> {
        let now = self.clock().now();
        let hooks = &mut self.state().hooks;
        let messages: Vec<Arc<OutboxMessage>> = hooks.outbox.values().take(size(limit)).cloned().collect();
        for message in &messages {
            hooks.outbox.remove(&message.id);
            let wants = |one: &WebhookEndpoint| one.tenant_id == message.tenant_id && one.wants(message.event, message.task_id);
            let takers: Vec<WebhookId> = hooks.webhooks.values().filter(|one| wants(one)).map(|one| one.id).collect();
            for taker in takers {
                let delivery = new_delivery(message, taker, now);
                hooks.deliveries.insert(delivery.id, Arc::new(StoredDelivery { delivery, lease_until: None }));
            }
        }
        Ok(u32::try_from(messages.len()).unwrap_or(u32::MAX))
    }

    async fn claim(&self, limit: u32, lease: Duration) -> Result<Vec<DueDelivery>, StoreError> {
        let now = self.clock().now();
        let hooks = &mut self.state().hooks;
        let is_due =
            |one: &Delivery| one.status == DeliveryStatus::Pending && one.next_attempt_at.is_some_and(|next| next <= now);
        let mut due: Vec<Delivery> =
            hooks.deliveries.values().map(|stored| &stored.delivery).filter(|one| is_due(one)).cloned().collect();
        due.sort_by_key(|one| (one.next_attempt_at, one.id));
        let mut claimed = Vec::new();
        for delivery in due {
            if claimed.len() >= size(limit) {
                break;
            }
            claimed.extend(take(hooks, delivery, now, lease));
        }
        claimed.sort_by_key(|one| one.delivery.id);
        Ok(claimed)
    }

    async fn report(&self, outcome: AttemptOutcome) -> Result<(), StoreError> {
        let now = self.clock().now();
        let hooks = &mut self.state().hooks;
        let Some(stored) = hooks.deliveries.get_mut(&outcome.delivery_id) else { return Ok(()) };
        let webhook = stored.delivery.webhook_id;
        let has_arrived = outcome.status == DeliveryStatus::Delivered;
        let known = stored.delivery.status;
        // What has arrived has arrived, even if it was given up meanwhile.
        if known == DeliveryStatus::Pending || (has_arrived && known == DeliveryStatus::Failed) {
            write_outcome(Arc::make_mut(stored), &outcome, now);
        }
        if let Some(endpoint) = hooks.webhooks.get_mut(&webhook) {
            let endpoint = Arc::make_mut(endpoint);
            endpoint.failing_since = if has_arrived { None } else { endpoint.failing_since.or(Some(now)) };
            if let Some(reason) = &outcome.disable_endpoint
                && endpoint.disabled.is_none()
            {
                endpoint.disabled = Some((now, reason.clone()));
                endpoint.version = endpoint.version.saturating_add(1);
            }
        }
        if outcome.disable_endpoint.is_some() {
            hooks.fail_waiting(webhook, "the endpoint is disabled");
        }
        Ok(())
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        let wanted = |one: &Delivery| {
            one.webhook_id == webhook
                && one.message.tenant_id == *tenant
                && status.is_none_or(|status| one.status == status)
                && before.is_none_or(|before| one.id < before)
        };
        let state = self.state();
        let newest_first = state.hooks.deliveries.values().rev().map(|stored| &stored.delivery);
        Ok(newest_first.filter(|one| wanted(one)).take(size(limit)).cloned().collect())
    }

    async fn redeliver(&self, tenant: &TenantId, webhook: WebhookId, delivery: Uuid) -> Result<Option<Delivery>, StoreError> {
        let now = self.clock().now();
        let hooks = &mut self.state().hooks;
        let endpoint = hooks.webhooks.get(&webhook).filter(|known| known.tenant_id == *tenant);
        let is_his = |one: &&mut Arc<StoredDelivery>| one.delivery.webhook_id == webhook;
        let (Some(endpoint), Some(stored)) = (endpoint, hooks.deliveries.get_mut(&delivery).filter(is_his)) else {
            return Ok(None);
        };
        if endpoint.disabled.is_none() {
            let stored = Arc::make_mut(stored);
            stored.lease_until = None;
            stored.delivery.status = DeliveryStatus::Pending;
            stored.delivery.attempts = 0;
            stored.delivery.next_attempt_at = Some(now);
            stored.delivery.delivered_at = None;
        }
        Ok(Some(stored.delivery.clone()))
    }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn later(now: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by).ok().and_then(|by| now.checked_add_signed(by)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn new_delivery(message: &OutboxMessage, webhook_id: WebhookId, now: DateTime<Utc>) -> Delivery {
    Delivery {
        id: delivery_id(message, webhook_id),
        message: message.clone(),
        webhook_id,
        status: DeliveryStatus::Pending,
        attempts: 0,
        next_attempt_at: Some(now),
        response_status: None,
        error: None,
        duration_ms: None,
        attempted_at: None,
        delivered_at: None,
        created_at: now,
    }
}

/// Takes a due delivery unless its endpoint is busy enough.
fn take(hooks: &mut Hooks, delivery: Delivery, now: DateTime<Utc>, lease: Duration) -> Option<DueDelivery> {
    let endpoint = hooks.webhooks.get(&delivery.webhook_id)?.as_ref().clone();
    let in_flight =
        |one: &StoredDelivery| one.delivery.webhook_id == endpoint.id && one.lease_until.is_some_and(|until| until > now);
    let busy = hooks.deliveries.values().filter(|stored| in_flight(stored)).count();
    if busy >= size(endpoint.max_concurrent) {
        return None;
    }
    let stored = Arc::make_mut(hooks.deliveries.get_mut(&delivery.id)?);
    let until = later(now, lease);
    stored.lease_until = Some(until);
    stored.delivery.attempts = stored.delivery.attempts.saturating_add(1);
    stored.delivery.attempted_at = Some(now);
    stored.delivery.next_attempt_at = Some(until);
    Some(DueDelivery { delivery: stored.delivery.clone(), endpoint })
}

fn write_outcome(stored: &mut StoredDelivery, outcome: &AttemptOutcome, now: DateTime<Utc>) {
    stored.lease_until = None;
    let delivery = &mut stored.delivery;
    delivery.status = outcome.status;
    let pause = outcome.retry_after.filter(|_| outcome.status == DeliveryStatus::Pending);
    delivery.next_attempt_at = pause.map(|pause| later(now, pause));
    delivery.response_status = outcome.response_status;
    delivery.error.clone_from(&outcome.error);
    delivery.duration_ms = Some(outcome.duration_ms);
    delivery.delivered_at = Some(now).filter(|_| outcome.status == DeliveryStatus::Delivered);
}
