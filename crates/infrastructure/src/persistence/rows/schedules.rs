//! Tables `schedules` and `schedule_fires`.

use crewd_application::ports::{SCHEDULE_FIRE, StoreError, StoredFire, StoredSchedule};
use crewd_domain::shared::{ScheduleId, TaskId};

use super::cells::{CellReader, CellWriter};
use super::table::Table;

pub(in crate::persistence) const SCHEDULES: Table = Table {
    name: "schedules",
    key_name: "schedule_name",
    key: &["id"],
    columns: &["id", "tenant_id", "created_at", "name", "definition", "next_fire_at", "version"],
};

pub(in crate::persistence) const FIRES: Table = Table {
    name: "schedule_fires",
    key_name: SCHEDULE_FIRE,
    key: &["schedule_id", "fire_time"],
    columns: &["schedule_id", "fire_time", "tenant_id", "kind", "outcome", "task_id", "reason", "decided_at"],
};

/// The compare-and-swap of a change: what [`write_schedule_changes`] writes.
pub(in crate::persistence) const UPDATE_SCHEDULE: &str = "UPDATE schedules SET name = ?, definition = ?, next_fire_at = ?, \
     version = ? WHERE id = ? AND tenant_id = ? AND version = ?";

pub(in crate::persistence) fn write_schedule(cells: &mut CellWriter, schedule: &StoredSchedule) {
    cells.id(schedule.id.as_uuid());
    cells.text(schedule.tenant_id.as_str());
    cells.instant(schedule.created_at);
    write_changing(cells, schedule);
}

/// The values of [`UPDATE_SCHEDULE`].
pub(in crate::persistence) fn write_schedule_changes(cells: &mut CellWriter, schedule: &StoredSchedule) {
    write_changing(cells, schedule);
    cells.id(schedule.id.as_uuid());
    cells.text(schedule.tenant_id.as_str());
    cells.number(schedule.version.saturating_sub(1));
}

fn write_changing(cells: &mut CellWriter, schedule: &StoredSchedule) {
    cells.text(&schedule.name);
    cells.text(&schedule.definition);
    cells.optional_instant(schedule.next_fire_at);
    cells.number(schedule.version);
}

pub(in crate::persistence) fn read_schedule(cells: &mut CellReader<'_>) -> Result<StoredSchedule, StoreError> {
    Ok(StoredSchedule {
        id: ScheduleId::new(cells.id()?),
        tenant_id: cells.tenant()?,
        created_at: cells.instant()?,
        name: cells.text()?,
        definition: cells.text()?,
        next_fire_at: cells.optional_instant()?,
        version: cells.number()?,
    })
}

pub(in crate::persistence) fn write_fire(cells: &mut CellWriter, fire: &StoredFire) {
    cells.id(fire.schedule_id.as_uuid());
    cells.instant(fire.fire_time);
    cells.text(fire.tenant_id.as_str());
    cells.text(&fire.kind);
    cells.text(&fire.outcome);
    cells.optional_text(fire.task_id.map(|task| task.to_string()));
    cells.optional_text(fire.reason.as_deref());
    cells.instant(fire.at);
}

pub(in crate::persistence) fn read_fire(cells: &mut CellReader<'_>) -> Result<StoredFire, StoreError> {
    Ok(StoredFire {
        schedule_id: ScheduleId::new(cells.id()?),
        fire_time: cells.instant()?,
        tenant_id: cells.tenant()?,
        kind: cells.text()?,
        outcome: cells.text()?,
        task_id: cells.optional_id()?.map(TaskId::new),
        reason: cells.optional_text()?,
        at: cells.instant()?,
    })
}
