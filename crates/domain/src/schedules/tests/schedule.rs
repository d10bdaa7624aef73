use chrono::TimeDelta;
use serde_json::json;
use uuid::Uuid;

use super::setup::{at, cron, schedule};
use crate::schedules::{FireKind, FireOutcome, OverlapPolicy, Schedule, Timing};
use crate::shared::ScheduleId;

#[test]
fn start_and_end_are_fire_times_themselves() {
    let mut daily = schedule(cron("0 9 * * *"), "2026-01-01T00:00:00Z");
    daily.start_at = Some(at("2026-02-01T09:00:00Z"));
    daily.end_at = Some(at("2026-02-02T09:00:00Z"));
    let first = daily.next_fire(at("2026-01-01T00:00:00Z"));
    assert_eq!(first, Some(at("2026-02-01T09:00:00Z")));
    let second = daily.next_fire(first.unwrap());
    assert_eq!(second, Some(at("2026-02-02T09:00:00Z")));
    assert_eq!(daily.next_fire(second.unwrap()), None);
}

#[test]
fn a_paused_or_spent_schedule_has_no_next_time() {
    let mut daily = schedule(cron("0 9 * * *"), "2026-01-01T00:00:00Z");
    daily.paused = true;
    daily.plan_from(at("2026-01-01T00:00:00Z"));
    assert_eq!(daily.next_fire_at, None);
    daily.paused = false;
    daily.plan_from(at("2026-01-05T10:00:00Z"));
    assert_eq!(daily.next_fire_at, Some(at("2026-01-06T09:00:00Z")), "what passed meanwhile is left out");
    (daily.max_runs, daily.fired_count) = (Some(3), 3);
    daily.plan_from(at("2026-01-05T10:00:00Z"));
    assert_eq!(daily.next_fire_at, None);
}

#[test]
fn jitter_is_the_same_everywhere_and_spreads() {
    let mut first = schedule(cron("0 9 * * *"), "2026-01-01T00:00:00Z");
    first.jitter_seconds = 600;
    let fire = first.next_fire_at.unwrap();
    assert_eq!(first.jitter(fire), first.clone().jitter(fire));
    let drawn: Vec<i64> = (0..200)
        .map(|id| {
            first.id = ScheduleId::new(Uuid::from_u128(id));
            first.jitter(fire).num_seconds()
        })
        .collect();
    assert!(drawn.iter().all(|seconds| (0..=600).contains(seconds)));
    let early = drawn.iter().filter(|seconds| **seconds < 300).count();
    assert!((60..140).contains(&early), "{early} of 200 in the first half");
}

#[test]
fn jitter_keeps_the_order_of_fires() {
    let mut often = schedule(Timing::interval(10, at("2026-01-01T00:00:00Z")).unwrap(), "2026-01-01T00:00:00Z");
    often.jitter_seconds = 3600;
    let mut last = at("2026-01-01T00:00:00Z");
    for step in 1..200 {
        let fire = at("2026-01-01T00:00:00Z") + TimeDelta::seconds(10 * step);
        let acted = fire + often.jitter(fire);
        assert!(acted > last, "{fire}");
        last = acted;
    }
}

#[test]
fn everything_wrong_is_found_at_once() {
    let mut wrong = schedule(cron("0 9 * * *"), "2026-01-01T00:00:00Z");
    assert_eq!(wrong.problems(), []);
    wrong.name = " ".to_owned();
    wrong.jitter_seconds = u32::MAX;
    wrong.catch_up_seconds = u32::MAX;
    wrong.max_runs = Some(0);
    wrong.start_at = Some(at("2026-02-02T00:00:00Z"));
    wrong.end_at = Some(at("2026-02-01T00:00:00Z"));
    wrong.template = json!([]);
    let fields: Vec<&str> = wrong.problems().iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["name", "jitter_seconds", "catch_up_seconds", "max_runs", "end_at", "task"]);
    wrong.name = "a\nb".to_owned();
    assert_eq!(wrong.problems()[0].field, "name");
}

#[test]
fn names_round_trip() {
    assert!(OverlapPolicy::ALL.iter().all(|policy| OverlapPolicy::parse(policy.as_str()) == Some(*policy)));
    assert!(FireKind::ALL.iter().all(|kind| FireKind::parse(kind.as_str()) == Some(*kind)));
    assert!(FireOutcome::ALL.iter().all(|outcome| FireOutcome::parse(outcome.as_str()) == Some(*outcome)));
    assert_eq!(OverlapPolicy::default(), OverlapPolicy::Skip);
    let stored = serde_json::to_value(cron("0 9 * * *")).unwrap();
    assert_eq!(stored, json!({"kind": "cron", "expression": "0 9 * * *"}));
}

#[test]
fn a_schedule_is_stored_whole() {
    let mut stored = schedule(Timing::interval(60, at("2026-01-01T00:00:00Z")).unwrap(), "2026-01-01T00:00:00Z");
    for timing in [cron("0 9 * * *"), stored.timing.clone()] {
        stored.timing = timing;
        stored.max_runs = Some(3);
        let text = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), stored);
    }
}
