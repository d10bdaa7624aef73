//! Trigger and backfill.

use crewd_domain::schedules::{FireKind, FireOutcome, OverlapPolicy};

use super::super::{BackfillRequest, ScheduleFields};
use super::desk::{Desk, ada, minutes};
use crate::error::ErrorCode;

fn backfill(from: i64, to: i64, max: u32) -> BackfillRequest {
    BackfillRequest { from: minutes(from), to: minutes(to), max }
}

#[tokio::test]
async fn a_trigger_submits_now_also_while_paused() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    let held = ScheduleFields { paused: Some(true), ..ScheduleFields::default() };
    desk.schedules.change(&ada(), made.id, &held).await.unwrap();
    let first = desk.schedules.trigger(&ada(), made.id).await.unwrap();
    let second = desk.schedules.trigger(&ada(), made.id).await.unwrap();
    assert_eq!((first.kind, first.outcome), (FireKind::Manual, FireOutcome::Started));
    assert!(first.task_id.is_some() && first.task_id != second.task_id, "two triggers are two tasks");
    let now = desk.schedules.get(&ada(), made.id).await.unwrap();
    assert_eq!((now.fired_count, now.last_fire_at), (0, None), "they do not count");
    assert_eq!(desk.tasks().await.len(), 2);
}

#[tokio::test]
async fn a_trigger_of_a_task_that_is_not_acceptable_any_more_is_told() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    desk.catalog.remove("poets");
    let error = desk.schedules.trigger(&ada(), made.id).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidState);
    assert!(desk.fires(made.id).await.is_empty());
}

#[tokio::test]
async fn a_backfill_gives_each_time_one_task_however_often_it_is_asked_for() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    let first = desk.schedules.backfill(&ada(), made.id, backfill(-5, -1, 3)).await.unwrap();
    assert_eq!((first.items.len(), first.next_from), (3, Some(minutes(-2))));
    assert!(first.items.iter().all(|fire| fire.kind == FireKind::Backfill && fire.task_id.is_some()));
    let again = desk.schedules.backfill(&ada(), made.id, backfill(-5, -1, 100)).await.unwrap();
    let times: Vec<_> = again.items.iter().map(|fire| fire.fire_time).collect();
    assert_eq!((times, again.next_from), (vec![minutes(-2), minutes(-1)], None));
    assert_eq!(desk.tasks().await.len(), 5);
}

#[tokio::test]
async fn a_missed_or_skipped_time_gets_its_task_once() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    desk.pass(150).await;
    desk.pass(60).await;
    let expected = [(1, FireOutcome::Missed), (2, FireOutcome::Missed), (3, FireOutcome::Started), (4, FireOutcome::Skipped)];
    assert_eq!(desk.outcomes(made.id).await, expected);
    let done = desk.schedules.backfill(&ada(), made.id, backfill(1, 4, 100)).await.unwrap();
    assert_eq!(done.items.len(), 3);
    assert!(desk.outcomes(made.id).await.iter().all(|(_, outcome)| *outcome == FireOutcome::Started));
    assert!(desk.schedules.backfill(&ada(), made.id, backfill(1, 4, 100)).await.unwrap().items.is_empty());
    assert_eq!(desk.tasks().await.len(), 4);
}

#[tokio::test]
async fn a_backfill_that_is_faster_than_the_schedule_does_not_stop_it() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::QueueAll).await;
    desk.clock.advance(std::time::Duration::from_secs(150));
    desk.schedules.backfill(&ada(), made.id, backfill(1, 2, 100)).await.unwrap();
    assert_eq!(desk.tick().await.submitted, 1, "00:03 is left");
    let now = desk.schedules.get(&ada(), made.id).await.unwrap();
    assert_eq!((now.next_fire_at, desk.tasks().await.len()), (Some(minutes(4)), 3));
    // The same when the times would have been missed.
    desk.clock.advance(std::time::Duration::from_secs(2 * 3600));
    desk.schedules.backfill(&ada(), made.id, backfill(5, 6, 100)).await.unwrap();
    while desk.tick().await.submitted > 0 {}
    let now = desk.schedules.get(&ada(), made.id).await.unwrap();
    assert_eq!(now.next_fire_at, Some(minutes(124)));
}

#[tokio::test]
async fn a_backfill_lies_in_the_past() {
    let desk = Desk::new();
    let made = desk.minutely(OverlapPolicy::Skip).await;
    for (request, expected) in [
        (backfill(-5, 1, 10), vec!["/to"]),
        (backfill(-5, -6, 10), vec!["/from"]),
        (backfill(-5, -1, 0), vec!["/max"]),
        (backfill(5, 3, 1001), vec!["/to", "/from", "/max"]),
    ] {
        let error = desk.schedules.backfill(&ada(), made.id, request).await.unwrap_err();
        let pointers: Vec<_> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, expected);
    }
    assert!(desk.tasks().await.is_empty());
}
