//! Schedules and their fires, as they are stored.
//!
//! What a schedule means is the domain's matter; here it is a row with the columns that the database must know.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_domain::shared::{ScheduleId, TaskId, TenantId};

use super::store::StoreError;

/// A schedule as a row.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSchedule {
    /// Its id.
    pub id: ScheduleId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Its name, unique for the tenant.
    pub name: String,
    /// Everything else, as JSON of the domain's own form.
    pub definition: String,
    /// When it fires next; `None` while it is paused or at its end.
    pub next_fire_at: Option<DateTime<Utc>>,
    /// The version after the change; the row must be at the one before.
    pub version: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A fire as a row.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredFire {
    /// The schedule.
    pub schedule_id: ScheduleId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The time it was meant for: the key, together with the schedule.
    pub fire_time: DateTime<Utc>,
    /// Scheduled, by hand, or caught up.
    pub kind: String,
    /// What came of it.
    pub outcome: String,
    /// The task it submitted, if it did.
    pub task_id: Option<TaskId>,
    /// Why it did not.
    pub reason: Option<String>,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

/// Reads and keeps schedules. Changes that belong together with a task are made in a unit of work.
#[async_trait]
pub trait ScheduleStore: Send + Sync {
    /// Adds one. A taken name means [`StoreError::Duplicate`].
    async fn insert(&self, schedule: StoredSchedule) -> Result<(), StoreError>;

    /// Replaces one, by compare-and-swap on the version: another one means [`StoreError::Conflict`], a taken name
    /// [`StoreError::Duplicate`].
    async fn update(&self, schedule: StoredSchedule) -> Result<(), StoreError>;

    /// Removes one with its fires; whether it was there. Tasks it submitted stay.
    async fn delete(&self, tenant: &TenantId, id: ScheduleId) -> Result<bool, StoreError>;

    /// One by its id.
    async fn schedule(&self, tenant: &TenantId, id: ScheduleId) -> Result<Option<StoredSchedule>, StoreError>;

    /// All of a tenant, newest first (by id), at most `limit`, only those before the given id if there is one.
    async fn schedules(
        &self,
        tenant: &TenantId,
        before: Option<ScheduleId>,
        limit: u32,
    ) -> Result<Vec<StoredSchedule>, StoreError>;

    /// Schedules of all tenants whose time has come by the database's clock, longest overdue first, and that clock.
    async fn due(&self, limit: u32) -> Result<(DateTime<Utc>, Vec<StoredSchedule>), StoreError>;

    /// Fires of a schedule, latest fire time first, at most `limit`, only those before the given time if there is one.
    async fn fires(
        &self,
        tenant: &TenantId,
        id: ScheduleId,
        before: Option<DateTime<Utc>>,
        limit: u32,
    ) -> Result<Vec<StoredFire>, StoreError>;
}
