//! Times that come by themselves.

use chrono::TimeDelta;
use crewd_domain::schedules::{FireKind, FireOutcome, OverlapPolicy};

use super::super::ScheduleFields;
use super::super::tick::BURST;
use super::desk::{Desk, ada, every_minute, minutes};
use crate::ports::StoreError;

#[tokio::test]
async fn one_task_for_each_fire_time_with_two_nodes() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Allow).await;
    assert_eq!(desk.tick().await.submitted, 0, "nothing is due yet");
    for minute in 1..=5 {
        assert_eq!(desk.pass(60).await.submitted, 1);
        assert_eq!(desk.tick().await.submitted, 0, "not again");
        assert_eq!(desk.tasks().await.len(), minute);
    }
    let fires = desk.fires(made.id).await;
    let times: Vec<_> = fires.iter().map(|fire| fire.fire_time).collect();
    assert_eq!(times, (1..=5).map(minutes).collect::<Vec<_>>());
    assert!(fires.iter().all(|fire| (fire.kind, fire.outcome) == (FireKind::Scheduled, FireOutcome::Started)));
    let submitted: Vec<_> = desk.tasks().await.iter().map(|view| Some(view.task.id)).collect();
    assert_eq!(fires.iter().map(|fire| fire.task_id).collect::<Vec<_>>(), submitted);
    assert!(desk.tasks().await.iter().all(|view| view.task.options.schedule == Some(made.id)));
    let now = desk.schedules.get(&ada(), made.id).await.unwrap();
    assert_eq!((now.fired_count, now.last_fire_at, now.next_fire_at), (5, Some(minutes(5)), Some(minutes(6))));
}

#[tokio::test]
async fn clocks_of_nodes_have_no_say() {
    let hour = TimeDelta::hours(1);
    for ahead in [[hour, -hour], [hour, hour], [-hour, -hour]] {
        let desk = Desk::with_nodes_ahead(ahead);
        let made = desk.minutely(OverlapPolicy::Allow).await;
        assert_eq!(desk.tick().await.submitted, 0, "nothing is due yet");
        for _ in 1..=3 {
            assert_eq!(desk.pass(60).await.submitted, 1);
        }
        let times: Vec<_> = desk.fires(made.id).await.iter().map(|fire| fire.fire_time).collect();
        assert_eq!(times, (1..=3).map(minutes).collect::<Vec<_>>());
        assert!(desk.outcomes(made.id).await.iter().all(|(_, outcome)| *outcome == FireOutcome::Started));
    }
}

#[tokio::test]
async fn a_failed_commit_leaves_nothing_and_is_tried_again() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Allow).await;
    let gone = || StoreError::Unavailable("gone".into());
    desk.store.fail_next_commit(gone());
    desk.store.fail_next_commit(gone());
    let ticked = desk.pass(60).await;
    assert_eq!((ticked.submitted, ticked.failures.len()), (0, 2));
    assert!(desk.tasks().await.is_empty() && desk.fires(made.id).await.is_empty());
    assert_eq!(desk.tick().await.submitted, 1);
}

#[tokio::test]
async fn after_an_outage_one_report_is_wanted() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    let ticked = desk.pass(270).await;
    assert_eq!((ticked.submitted, ticked.left_out), (1, 4), "00:05:00, and four before it");
    let expected = [(1, FireOutcome::Missed), (2, FireOutcome::Missed), (3, FireOutcome::Missed), (4, FireOutcome::Missed)];
    let outcomes = desk.outcomes(made.id).await;
    assert_eq!((&outcomes[..4], outcomes[4]), (&expected[..], (5, FireOutcome::Started)));
}

#[tokio::test]
async fn a_long_outage_is_made_up_for_in_bursts() {
    let desk = Desk::new();
    let late = 3 * BURST as i64 + 5;
    let fields = ScheduleFields { catch_up_seconds: Some(24 * 3600), overlap: Some(OverlapPolicy::QueueAll), ..every_minute() };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    let mut bursts = vec![desk.pass(60 * late as u64).await.submitted];
    while *bursts.last().unwrap() > 0 {
        bursts.push(desk.tick().await.submitted);
    }
    assert!(bursts.len() > 2 && bursts.iter().all(|burst| *burst <= 2 * BURST), "each of two nodes leaves room: {bursts:?}");
    let times: Vec<_> = desk.fires(made.id).await.iter().map(|fire| fire.fire_time).collect();
    assert_eq!(times, (1..=late).map(minutes).collect::<Vec<_>>(), "in order, and none is left out");
}

#[tokio::test]
async fn nothing_late_is_run_without_a_window() {
    let desk = Desk::new();
    let fields = ScheduleFields { catch_up_seconds: Some(0), ..every_minute() };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    assert_eq!(desk.pass(75).await.submitted, 0);
    assert_eq!(desk.outcomes(made.id).await, [(1, FireOutcome::Missed)]);
    assert!(desk.fires(made.id).await[0].reason.is_some());
}

#[tokio::test]
async fn max_runs_is_the_end() {
    let desk = Desk::new();
    let fields = ScheduleFields { max_runs: Some(Some(2)), overlap: Some(OverlapPolicy::QueueAll), ..every_minute() };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    assert_eq!(desk.pass(270).await.submitted, 2);
    assert_eq!(desk.pass(600).await.submitted, 0);
    let now = desk.schedules.get(&ada(), made.id).await.unwrap();
    assert_eq!((now.fired_count, now.next_fire_at), (2, None));
}

#[tokio::test]
async fn jitter_delays_and_does_not_lose() {
    let desk = Desk::new();
    let fields = ScheduleFields { jitter_seconds: Some(50), ..every_minute() };
    let made = desk.schedules.create(&ada(), fields).await.unwrap();
    let late = made.jitter(minutes(1)).num_seconds().unsigned_abs();
    desk.pass(30 + late.saturating_sub(1)).await;
    let early = desk.tasks().await.len();
    desk.pass(1).await;
    assert_eq!((early, desk.tasks().await.len()), (usize::from(late == 0), 1), "{late} seconds late");
    assert_eq!(desk.fires(made.id).await[0].fire_time, minutes(1));
}

#[tokio::test]
async fn a_refused_task_is_recorded_and_the_schedule_goes_on() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    desk.catalog.remove("poets");
    let ticked = desk.pass(60).await;
    assert_eq!((ticked.submitted, ticked.left_out, ticked.failures.len()), (0, 1, 0));
    desk.catalog.put(super::desk::poets());
    assert_eq!(desk.pass(60).await.submitted, 1);
    assert_eq!(desk.outcomes(made.id).await, [(1, FireOutcome::Failed), (2, FireOutcome::Started)]);
    let reason = desk.fires(made.id).await[0].reason.clone().unwrap();
    assert!(reason.contains("poets"), "{reason}");
}

#[tokio::test]
async fn many_schedules_of_one_moment_are_all_fired() {
    let desk = Desk::new();
    for index in 0..250 {
        let fields = ScheduleFields { name: Some(format!("schedule {index}")), ..every_minute() };
        desk.schedules.create(&ada(), fields).await.unwrap();
    }
    assert_eq!(desk.pass(30).await.submitted, 250);
    assert_eq!(desk.tasks().await.len(), 250);
}

#[tokio::test]
async fn a_held_schedule_leaves_its_times_out() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    let hold = |paused| ScheduleFields { paused: Some(paused), ..ScheduleFields::default() };
    desk.schedules.change(&ada(), made.id, &hold(true)).await.unwrap();
    assert_eq!(desk.pass(300).await.submitted, 0);
    let resumed = desk.schedules.change(&ada(), made.id, &hold(false)).await.unwrap();
    assert_eq!(resumed.next_fire_at, Some(minutes(6)));
    assert!(desk.fires(made.id).await.is_empty());
}
