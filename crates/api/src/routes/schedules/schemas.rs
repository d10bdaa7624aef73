//! Schedules and fires as clients see them.

use crewd_domain::schedules::{Schedule, ScheduleFire, Timing};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::timestamp::Timestamp;

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ScheduleResponse {
    /// Its id.
    id: Uuid,
    /// Its name, unique for the tenant.
    #[schema(example = "Morning report")]
    name: String,
    /// The cron expression; `null` for an interval.
    #[schema(example = "0 7 * * MON-FRI")]
    cron: Option<String>,
    /// The distance between two times; `null` for cron.
    interval_seconds: Option<u32>,
    /// One of the times of an interval; `null` for cron.
    anchor: Option<Timestamp>,
    /// Where the clock of a cron expression hangs.
    #[schema(example = "Europe/Berlin")]
    time_zone: &'static str,
    /// The body of the task that is submitted.
    #[schema(value_type = Object)]
    task: Value,
    /// `skip`, `queue_one`, `queue_all`, `cancel_previous` or `allow`.
    #[schema(example = "skip")]
    overlap: &'static str,
    /// How late a time that nobody saw may still be run.
    catch_up_seconds: u32,
    /// Each time is late by up to so many seconds.
    jitter_seconds: u32,
    /// No fire time lies before it.
    start_at: Option<Timestamp>,
    /// No fire time lies after it.
    end_at: Option<Timestamp>,
    /// It is over after so many tasks.
    max_runs: Option<u32>,
    /// Whether it is held.
    paused: bool,
    /// The next fire time, without jitter; `null` while it is paused and when it is over.
    next_fire_at: Option<Timestamp>,
    /// The latest fire time that was dealt with.
    last_fire_at: Option<Timestamp>,
    /// Tasks submitted at its times.
    fired_count: u32,
    /// When it was created.
    created_at: Timestamp,
    /// By whom.
    created_by: String,
    /// When it was changed, by a person or by firing.
    updated_at: Timestamp,
    /// Where to go next.
    links: ScheduleLinks,
}

/// Absolute paths on this server.
#[derive(Debug, Serialize, ToSchema)]
struct ScheduleLinks {
    /// The schedule.
    #[serde(rename = "self")]
    this: String,
    /// What became of its times.
    fires: String,
}

/// What became of one time of a schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FireResponse {
    /// The schedule.
    schedule_id: Uuid,
    /// The time it was meant for, without jitter; the moment of the request when it was triggered.
    fire_time: Timestamp,
    /// `scheduled`, `manual` or `backfill`.
    #[schema(example = "scheduled")]
    kind: &'static str,
    /// `started`, `queued`, `skipped`, `missed` or `failed`.
    #[schema(example = "started")]
    outcome: &'static str,
    /// The task that was submitted.
    task_id: Option<Uuid>,
    /// When this was decided.
    at: Timestamp,
    /// Why no task was submitted.
    reason: Option<String>,
}

/// The address of a schedule.
pub(super) fn self_link(schedule: &Schedule) -> String {
    format!("/api/v1/schedules/{}", schedule.id)
}

impl From<Schedule> for ScheduleResponse {
    fn from(schedule: Schedule) -> Self {
        let this = self_link(&schedule);
        let links = ScheduleLinks { fires: format!("{this}/fires"), this };
        let (cron, interval_seconds, anchor) = match schedule.timing {
            Timing::Cron { expression } => (Some(expression.to_string()), None, None),
            Timing::Interval { seconds, anchor } => (None, Some(seconds), Some(anchor.into())),
        };
        Self {
            id: schedule.id.as_uuid(),
            name: schedule.name,
            cron,
            interval_seconds,
            anchor,
            time_zone: schedule.zone.name(),
            task: submitted_body(schedule.template),
            overlap: schedule.overlap.as_str(),
            catch_up_seconds: schedule.catch_up_seconds,
            jitter_seconds: schedule.jitter_seconds,
            start_at: schedule.start_at.map(Timestamp),
            end_at: schedule.end_at.map(Timestamp),
            max_runs: schedule.max_runs,
            paused: schedule.paused,
            next_fire_at: schedule.next_fire_at.map(Timestamp),
            last_fire_at: schedule.last_fire_at.map(Timestamp),
            fired_count: schedule.fired_count,
            created_at: schedule.created_at.into(),
            created_by: schedule.created_by,
            updated_at: schedule.updated_at.into(),
            links,
        }
    }
}

/// The stored task as the body that would submit it: options stand beside the other fields, what is not set is left out.
fn submitted_body(template: Value) -> Value {
    let Value::Object(mut fields) = template else { return template };
    // Tasks of a schedule hold no business key.
    fields.shift_remove("dedup");
    if let Some(Value::Object(options)) = fields.shift_remove("options") {
        fields.extend(options);
    }
    Value::Object(fields.into_iter().filter(|(_, value)| is_set(value)).collect::<Map<_, _>>())
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Object(fields) => fields.values().any(|field| !field.is_null()),
        _ => true,
    }
}

impl From<ScheduleFire> for FireResponse {
    fn from(fire: ScheduleFire) -> Self {
        Self {
            schedule_id: fire.schedule_id.as_uuid(),
            fire_time: fire.fire_time.into(),
            kind: fire.kind.as_str(),
            outcome: fire.outcome.as_str(),
            task_id: fire.task_id.map(|task| task.as_uuid()),
            at: fire.at.into(),
            reason: fire.reason,
        }
    }
}
