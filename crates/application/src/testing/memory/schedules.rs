//! Schedules and fires of the fake.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_domain::shared::{ScheduleId, TenantId};

use super::store::InMemoryStore;
use crate::ports::{ScheduleStore, StoreError, StoredFire, StoredSchedule};

#[async_trait]
impl ScheduleStore for InMemoryStore {
    async fn insert(&self, schedule: StoredSchedule) -> Result<(), StoreError> {
        self.state().hooks.insert_schedule(schedule)
    }

    async fn update(&self, schedule: StoredSchedule) -> Result<(), StoreError> {
        self.state().hooks.update_schedule(schedule)
    }

    async fn delete(&self, tenant: &TenantId, id: ScheduleId) -> Result<bool, StoreError> {
        let hooks = &mut self.state().hooks;
        if hooks.schedules.get(&id).is_none_or(|known| known.tenant_id != *tenant) {
            return Ok(false);
        }
        hooks.schedules.remove(&id);
        hooks.fires.retain(|(schedule, _), _| *schedule != id);
        Ok(true)
    }

    async fn schedule(&self, tenant: &TenantId, id: ScheduleId) -> Result<Option<StoredSchedule>, StoreError> {
        let state = self.state();
        Ok(state.hooks.schedules.get(&id).filter(|known| known.tenant_id == *tenant).map(|known| known.as_ref().clone()))
    }

    async fn schedules(
        &self,
        tenant: &TenantId,
        before: Option<ScheduleId>,
        limit: u32,
    ) -> Result<Vec<StoredSchedule>, StoreError> {
        let state = self.state();
        let newest_first = state.hooks.schedules.values().rev().map(Arc::as_ref).filter(|one| one.tenant_id == *tenant);
        Ok(newest_first.filter(|one| before.is_none_or(|before| one.id < before)).take(size(limit)).cloned().collect())
    }

    async fn due(&self, limit: u32) -> Result<(DateTime<Utc>, Vec<StoredSchedule>), StoreError> {
        let now = self.clock().now();
        let state = self.state();
        let is_due = |one: &StoredSchedule| one.next_fire_at.is_some_and(|next| next <= now);
        let mut due: Vec<StoredSchedule> =
            state.hooks.schedules.values().map(Arc::as_ref).filter(|one| is_due(one)).cloned().collect();
        due.sort_by_key(|one| (one.next_fire_at, one.id));
        due.truncate(size(limit));
        Ok((now, due))
    }

    async fn fires(
        &self,
        tenant: &TenantId,
        id: ScheduleId,
        before: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<StoredFire>, StoreError> {
        let wanted = |one: &StoredFire| {
            one.schedule_id == id && one.tenant_id == *tenant && before.is_none_or(|before| one.fire_time < before)
        };
        let state = self.state();
        let latest_first = state.hooks.fires.values().rev().map(Arc::as_ref);
        Ok(latest_first.filter(|one| wanted(one)).take(size(limit)).cloned().collect())
    }
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
