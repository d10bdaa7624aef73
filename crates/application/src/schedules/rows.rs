//! From the schedule to its row and back.

use crewd_domain::schedules::{FireKind, FireOutcome, Schedule, ScheduleFire};

use crate::ports::{StoreError, StoredFire, StoredSchedule};

/// The row of a schedule. Its column of the next time says when to act, jitter included.
pub(super) fn to_row(schedule: &Schedule) -> Result<StoredSchedule, StoreError> {
    let definition = serde_json::to_string(schedule).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(StoredSchedule {
        id: schedule.id,
        tenant_id: schedule.tenant_id.clone(),
        name: schedule.name.clone(),
        definition,
        next_fire_at: schedule.next_due_at(),
        version: schedule.version,
        created_at: schedule.created_at,
    })
}

/// The schedule of a row.
pub(super) fn from_row(row: &StoredSchedule) -> Result<Schedule, StoreError> {
    serde_json::from_str(&row.definition).map_err(|error| StoreError::Corrupt(format!("schedule {}: {error}", row.id)))
}

/// The row of a fire.
pub(super) fn fire_to_row(fire: ScheduleFire) -> StoredFire {
    StoredFire {
        schedule_id: fire.schedule_id,
        tenant_id: fire.tenant_id,
        fire_time: fire.fire_time,
        kind: fire.kind.as_str().to_owned(),
        outcome: fire.outcome.as_str().to_owned(),
        task_id: fire.task_id,
        reason: fire.reason,
        at: fire.at,
    }
}

/// The fire of a row.
pub(super) fn fire_from_row(row: StoredFire) -> Result<ScheduleFire, StoreError> {
    let unknown = |what: &str, name: &str| StoreError::Corrupt(format!("{what} of a fire: {name}"));
    Ok(ScheduleFire {
        kind: FireKind::parse(&row.kind).ok_or_else(|| unknown("kind", &row.kind))?,
        outcome: FireOutcome::parse(&row.outcome).ok_or_else(|| unknown("outcome", &row.outcome))?,
        schedule_id: row.schedule_id,
        tenant_id: row.tenant_id,
        fire_time: row.fire_time,
        task_id: row.task_id,
        at: row.at,
        reason: row.reason,
    })
}
