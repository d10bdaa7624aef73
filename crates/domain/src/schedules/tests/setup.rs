//! What the tests are made of.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use crate::schedules::{DEFAULT_CATCH_UP_SECONDS, OverlapPolicy, Schedule, Timing, Zone};
use crate::shared::{ScheduleId, TenantId};

pub(super) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn cron(expression: &str) -> Timing {
    Timing::cron(expression).unwrap()
}

pub(super) fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

/// The next times as text, in UTC.
pub(super) fn fires(timing: &Timing, zone: Zone, after: &str, count: usize) -> Vec<String> {
    let next = |time: &DateTime<Utc>| timing.next_fire(*time, zone);
    std::iter::successors(next(&at(after)), next).take(count).map(|time| time.format("%FT%TZ").to_string()).collect()
}

/// A schedule that looks forward from `from`, in UTC and with the defaults.
pub(super) fn schedule(timing: Timing, from: &str) -> Schedule {
    let from = at(from);
    let mut schedule = Schedule {
        id: ScheduleId::new(Uuid::from_u128(7)),
        tenant_id: TenantId::default_tenant(),
        name: "nightly".to_owned(),
        timing,
        zone: Zone::UTC,
        jitter_seconds: 0,
        start_at: None,
        end_at: None,
        max_runs: None,
        fired_count: 0,
        paused: false,
        overlap: OverlapPolicy::Skip,
        catch_up_seconds: DEFAULT_CATCH_UP_SECONDS,
        template: json!({"crew": "newsletter"}),
        next_fire_at: None,
        last_fire_at: None,
        version: 1,
        created_at: from,
        updated_at: from,
        created_by: "tests".to_owned(),
    };
    schedule.plan_from(from);
    schedule
}
