//! The database under test, and rows for it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crewd_domain::runs::Priority;
use crewd_domain::shared::ScheduleId;

use crate::ports::{Change, RunQueries, ScheduleStore, Store, StoreError, StoredFire, StoredSchedule, UnitOfWork};
use crate::testing::store::{Sample, Submitted, at, must};

/// One database, seen through its ports.
#[derive(Clone)]
pub struct ScheduleHarness {
    /// Writes fires together with their tasks.
    pub store: Arc<dyn Store>,
    /// Reads tasks.
    pub queries: Arc<dyn RunQueries>,
    /// Keeps schedules.
    pub schedules: Arc<dyn ScheduleStore>,
}

impl ScheduleHarness {
    /// A schedule in the database, changed before it is stored.
    pub(super) async fn schedule(&self, sample: &Sample, change: impl FnOnce(&mut StoredSchedule) + Send) -> StoredSchedule {
        let mut schedule = schedule(sample);
        change(&mut schedule);
        must(self.schedules.insert(schedule.clone()).await);
        schedule
    }

    pub(super) async fn read(&self, schedule: &StoredSchedule) -> Option<StoredSchedule> {
        must(self.schedules.schedule(&schedule.tenant_id, schedule.id).await)
    }

    pub(super) async fn fires(&self, schedule: &StoredSchedule) -> Vec<StoredFire> {
        must(self.schedules.fires(&schedule.tenant_id, schedule.id, None, 100).await)
    }

    /// Whether a task is in the database.
    pub(super) async fn has_task(&self, submitted: &Submitted) -> bool {
        must(self.queries.task(&submitted.task.tenant_id, submitted.task.id).await).is_some()
    }
}

/// A schedule with a name of its own, due for a long time.
pub(super) fn schedule(sample: &Sample) -> StoredSchedule {
    let id = ScheduleId::new(sample.id());
    StoredSchedule {
        id,
        tenant_id: sample.tenant().clone(),
        name: format!("schedule {id}"),
        definition: "{\"cron\":\"0 9 * * *\"}".to_owned(),
        next_fire_at: Some(past(0)),
        version: 1,
        created_at: at(0),
    }
}

/// A fire that submits a task.
pub(super) fn fire(schedule: &StoredSchedule, fire_time: DateTime<Utc>, submitted: &Submitted) -> StoredFire {
    StoredFire {
        schedule_id: schedule.id,
        tenant_id: schedule.tenant_id.clone(),
        fire_time,
        kind: "scheduled".to_owned(),
        outcome: "submitted".to_owned(),
        task_id: Some(submitted.task.id),
        reason: None,
        at: at(1),
    }
}

/// A task, the fire it is submitted by, and the schedule as it is then.
pub(super) fn firing(sample: &Sample, schedule: &StoredSchedule, fire_time: DateTime<Utc>) -> (Submitted, UnitOfWork) {
    let submitted = sample.queued(Priority::Standard, 0);
    let mut unit = submitted.unit();
    unit.push(Change::InsertScheduleFire(Box::new(fire(schedule, fire_time, &submitted))));
    unit.push(Change::UpdateSchedule(Box::new(next(schedule))));
    (submitted, unit)
}

/// The schedule after a fire.
pub(super) fn next(schedule: &StoredSchedule) -> StoredSchedule {
    StoredSchedule { next_fire_at: Some(future()), version: schedule.version + 1, ..schedule.clone() }
}

/// Before every clock under test.
pub(super) fn past(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000_000 + second, 0).unwrap_or_default()
}

/// After every clock under test.
pub(super) fn future() -> DateTime<Utc> {
    DateTime::from_timestamp(9_000_000_000, 0).unwrap_or_default()
}

/// Whether somebody else was faster.
pub(super) const fn is_conflict(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Conflict))
}
