use chrono::{DateTime, TimeDelta, Utc};

use super::setup::{at, cron, schedule};
use crate::schedules::{MAX_FIRES_PER_PLAN, OverlapPolicy, Schedule, Timing};

fn minutely(overlap: OverlapPolicy) -> Schedule {
    Schedule { overlap, ..schedule(cron("* * * * *"), "2026-01-01T00:00:30Z") }
}

fn minutes(times: &[DateTime<Utc>]) -> Vec<String> {
    times.iter().map(|time| time.format("%H:%M").to_string()).collect()
}

#[test]
fn nothing_is_due_before_its_time() {
    let plan = minutely(OverlapPolicy::Skip).due(at("2026-01-01T00:00:59.999Z"));
    assert!(plan.is_empty());
    assert_eq!(plan.next_fire_at, Some(at("2026-01-01T00:01:00Z")));
}

#[test]
fn a_fire_on_time_is_run_once_and_the_next_one_follows() {
    let mut schedule = minutely(OverlapPolicy::Skip);
    let now = at("2026-01-01T00:01:00Z");
    let plan = schedule.due(now);
    assert_eq!(minutes(&plan.run), ["00:01"]);
    schedule.settle(&plan, 1, now);
    assert_eq!((schedule.fired_count, schedule.version), (1, 2));
    assert_eq!(schedule.last_fire_at, Some(at("2026-01-01T00:01:00Z")));
    assert_eq!(schedule.next_fire_at, Some(at("2026-01-01T00:02:00Z")));
    assert!(schedule.due(now).is_empty());
}

#[test]
fn after_an_outage_the_latest_late_fire_is_run_alone() {
    for overlap in [OverlapPolicy::Skip, OverlapPolicy::QueueOne, OverlapPolicy::CancelPrevious, OverlapPolicy::Allow] {
        let plan = minutely(overlap).due(at("2026-01-01T00:05:45Z"));
        assert_eq!(minutes(&plan.run), ["00:05"], "{overlap}");
        assert_eq!(minutes(&plan.superseded), ["00:01", "00:02", "00:03", "00:04"]);
        assert_eq!(plan.last(), Some(at("2026-01-01T00:05:00Z")));
    }
}

#[test]
fn a_fire_on_time_supersedes_all_late_ones() {
    let plan = minutely(OverlapPolicy::Skip).due(at("2026-01-01T00:03:02Z"));
    assert_eq!(
        (minutes(&plan.run), minutes(&plan.superseded)),
        (vec!["00:03".to_owned()], vec!["00:01".to_owned(), "00:02".to_owned()])
    );
}

#[test]
fn fires_on_time_are_all_run() {
    let often = schedule(Timing::interval(1, at("2026-01-01T00:00:00Z")).unwrap(), "2026-01-01T00:00:00Z");
    let plan = often.due(at("2026-01-01T00:00:03.2Z"));
    assert_eq!((plan.run.len(), plan.superseded.len(), plan.missed.len()), (3, 0, 0));
}

#[test]
fn queue_all_runs_every_fire_of_the_window() {
    let plan = minutely(OverlapPolicy::QueueAll).due(at("2026-01-01T00:03:45Z"));
    assert_eq!(minutes(&plan.run), ["00:01", "00:02", "00:03"]);
    assert!(plan.superseded.is_empty());
}

#[test]
fn what_is_older_than_the_window_is_missed() {
    let mut schedule = minutely(OverlapPolicy::QueueAll);
    schedule.catch_up_seconds = 120;
    let plan = schedule.due(at("2026-01-01T00:05:45Z"));
    assert_eq!(
        (minutes(&plan.missed), minutes(&plan.run)),
        (vec!["00:01".into(), "00:02".into(), "00:03".into()], vec!["00:04".into(), "00:05".into()])
    );
    schedule.catch_up_seconds = 0;
    let plan = schedule.due(at("2026-01-01T00:05:45Z"));
    assert_eq!((plan.missed.len(), plan.run.len()), (5, 0), "no catch-up at all");
    let plan = schedule.due(at("2026-01-01T00:05:30Z"));
    assert_eq!(minutes(&plan.run), ["00:05"], "half a minute is on time");
}

#[test]
fn a_long_outage_takes_a_few_plans_and_not_hours() {
    for overlap in OverlapPolicy::ALL {
        let mut schedule = schedule(cron("* * * * * *"), "2026-01-01T00:00:00Z");
        schedule.overlap = *overlap;
        schedule.catch_up_seconds = 60;
        let now = at("2026-06-01T00:00:00Z");
        let plan = schedule.due(now);
        assert_eq!((plan.missed.len(), plan.run.len()), (MAX_FIRES_PER_PLAN, 0));
        assert!(plan.unlisted_until.is_some_and(|until| now - until <= TimeDelta::seconds(62)), "{plan:?}");
        schedule.settle(&plan, 0, now);
        let plan = schedule.due(now);
        assert_eq!(plan.run.len(), if *overlap == OverlapPolicy::QueueAll { 61 } else { 31 });
        assert_eq!(plan.unlisted_until, None);
        schedule.settle(&plan, 0, now);
        assert!(schedule.due(now).is_empty());
        assert_eq!(schedule.next_fire_at, Some(now + TimeDelta::seconds(1)));
    }
}

#[test]
fn a_full_plan_of_late_fires_leaves_the_choice_to_the_next() {
    let mut schedule = schedule(cron("* * * * * *"), "2026-01-01T00:00:00Z");
    let now = at("2026-01-01T00:30:00Z");
    let plan = schedule.due(now);
    assert_eq!((plan.superseded.len(), plan.run.len(), plan.unlisted_until), (MAX_FIRES_PER_PLAN, 0, None));
    schedule.settle(&plan, 0, now);
    let plan = schedule.due(now);
    assert_eq!((plan.superseded.len(), plan.run.len()), (769, 31));
}

#[test]
fn max_runs_ends_it() {
    let mut schedule = minutely(OverlapPolicy::QueueAll);
    schedule.max_runs = Some(2);
    let now = at("2026-01-01T00:04:00Z");
    let plan = schedule.due(now);
    assert_eq!(minutes(&plan.run), ["00:01", "00:02"]);
    assert_eq!(plan.next_fire_at, Some(at("2026-01-01T00:03:00Z")), "should one of them be skipped");
    let mut skipped = schedule.clone();
    skipped.settle(&plan, 1, now);
    assert_eq!(minutes(&skipped.due(now).run), ["00:03"]);
    schedule.settle(&plan, 2, now);
    assert_eq!(schedule.next_fire_at, None);
    assert!(schedule.due(now).is_empty());
}

#[test]
fn the_end_and_a_pause_are_honoured() {
    let mut ended = minutely(OverlapPolicy::QueueAll);
    ended.end_at = Some(at("2026-01-01T00:02:00Z"));
    let plan = ended.due(at("2026-01-01T00:09:00Z"));
    assert_eq!((minutes(&plan.run), plan.next_fire_at), (vec!["00:01".into(), "00:02".into()], None));
    ended.paused = true;
    assert!(ended.due(at("2026-01-01T00:09:00Z")).is_empty());
}

#[test]
fn a_fire_waits_for_its_jitter() {
    let mut schedule = schedule(cron("0 * * * *"), "2026-01-01T00:30:00Z");
    schedule.jitter_seconds = 600;
    let (fire, acted) = (schedule.next_fire_at.unwrap(), schedule.next_due_at().unwrap());
    assert!(acted > fire, "this id draws more than nothing");
    assert!(schedule.due(acted - TimeDelta::seconds(1)).is_empty());
    assert_eq!(schedule.due(acted).run, [fire]);
    assert_eq!(schedule.due(acted + TimeDelta::seconds(3600)).last(), Some(fire), "lateness counts from the jittered time");
}
