//! What the fake remembers of the outside: endpoints, messages, deliveries, schedules.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use crewd_domain::shared::{ScheduleId, WebhookId};
use crewd_domain::webhooks::{DeliveryStatus, WebhookEndpoint};
use uuid::Uuid;

use crate::ports::{Delivery, OutboxMessage, SCHEDULE_FIRE, StoreError, StoredFire, StoredSchedule};

/// A delivery, and until when somebody is at work on it.
#[derive(Clone, Debug)]
pub(super) struct StoredDelivery {
    pub(super) delivery: Delivery,
    pub(super) lease_until: Option<DateTime<Utc>>,
}

/// The tables of webhooks and schedules.
#[derive(Clone, Debug, Default)]
pub(super) struct Hooks {
    pub(super) webhooks: BTreeMap<WebhookId, Arc<WebhookEndpoint>>,
    /// Messages that no deliveries have been made of yet.
    pub(super) outbox: BTreeMap<Uuid, Arc<OutboxMessage>>,
    pub(super) deliveries: BTreeMap<Uuid, Arc<StoredDelivery>>,
    pub(super) schedules: BTreeMap<ScheduleId, Arc<StoredSchedule>>,
    pub(super) fires: BTreeMap<(ScheduleId, DateTime<Utc>), Arc<StoredFire>>,
}

impl Hooks {
    /// Keeps a message if somebody may want it.
    pub(super) fn tell(&mut self, message: OutboxMessage) {
        let may_want = |endpoint: &WebhookEndpoint| {
            endpoint.tenant_id == message.tenant_id
                && endpoint.disabled.is_none()
                && endpoint.task_id.is_none_or(|task| task == message.task_id)
        };
        if self.webhooks.values().any(|endpoint| may_want(endpoint)) {
            self.outbox.insert(message.id, Arc::new(message));
        }
    }

    pub(super) fn insert_webhook(&mut self, endpoint: WebhookEndpoint) -> Result<(), StoreError> {
        if self.webhooks.contains_key(&endpoint.id) {
            return Err(StoreError::Duplicate("webhook_id".to_owned()));
        }
        self.webhooks.insert(endpoint.id, Arc::new(endpoint));
        Ok(())
    }

    pub(super) fn insert_fire(&mut self, fire: StoredFire) -> Result<(), StoreError> {
        let key = (fire.schedule_id, fire.fire_time);
        let gives_way = |stored: &Arc<StoredFire>| stored.task_id.is_none() && fire.task_id.is_some();
        if self.fires.get(&key).is_some_and(|stored| !gives_way(stored)) {
            return Err(StoreError::Duplicate(SCHEDULE_FIRE.to_owned()));
        }
        self.fires.insert(key, Arc::new(fire));
        Ok(())
    }

    pub(super) fn insert_schedule(&mut self, schedule: StoredSchedule) -> Result<(), StoreError> {
        self.check_name(&schedule)?;
        self.schedules.insert(schedule.id, Arc::new(schedule));
        Ok(())
    }

    pub(super) fn update_schedule(&mut self, schedule: StoredSchedule) -> Result<(), StoreError> {
        let known = self.schedules.get(&schedule.id).filter(|known| known.tenant_id == schedule.tenant_id);
        let Some(known) = known.filter(|known| known.version.saturating_add(1) == schedule.version) else {
            return Err(StoreError::Conflict);
        };
        let created_at = known.created_at;
        self.check_name(&schedule)?;
        self.schedules.insert(schedule.id, Arc::new(StoredSchedule { created_at, ..schedule }));
        Ok(())
    }

    fn check_name(&self, schedule: &StoredSchedule) -> Result<(), StoreError> {
        let takes = |other: &StoredSchedule| {
            other.id != schedule.id && other.tenant_id == schedule.tenant_id && other.name == schedule.name
        };
        let is_taken = self.schedules.values().any(|other| takes(other));
        if is_taken { Err(StoreError::Duplicate("schedule_name".to_owned())) } else { Ok(()) }
    }

    /// Ends what waits for an endpoint.
    pub(super) fn fail_waiting(&mut self, webhook: WebhookId, reason: &str) {
        let waits = |one: &Delivery| one.webhook_id == webhook && one.status == DeliveryStatus::Pending;
        for stored in self.deliveries.values_mut().filter(|stored| waits(&stored.delivery)) {
            let delivery = &mut Arc::make_mut(stored).delivery;
            delivery.status = DeliveryStatus::Failed;
            delivery.next_attempt_at = None;
            delivery.error = Some(reason.to_owned());
        }
    }
}
