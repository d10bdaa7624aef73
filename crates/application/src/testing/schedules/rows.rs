//! Schedules are kept as they are given.

use super::harness::{ScheduleHarness, future, is_conflict, next, past, schedule};
use crate::ports::{StoreError, StoredSchedule};
use crate::testing::store::{Sample, must, stranger};

fn is_taken(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Duplicate(key)) if key == "schedule_name")
}

pub(super) async fn a_schedule_is_kept_whole(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let plain = harness.schedule(&sample, |_| {}).await;
    let full = harness
        .schedule(&sample, |schedule| {
            schedule.name = "ü".repeat(100);
            schedule.definition = format!("{{\"text\":\"{}\"}}", "x".repeat(100_000));
            schedule.next_fire_at = None;
        })
        .await;
    assert_eq!(harness.read(&plain).await, Some(plain));
    assert_eq!(harness.read(&full).await, Some(full));
    assert_eq!(harness.read(&schedule(&sample)).await, None);
}

pub(super) async fn names_are_taken_once_for_a_tenant(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let first = harness.schedule(&sample, |_| {}).await;
    let same_name = StoredSchedule { name: first.name.clone(), ..schedule(&sample) };
    let taken = harness.schedules.insert(same_name.clone()).await;
    assert!(is_taken(&taken), "{taken:?}");
    must(harness.schedules.insert(StoredSchedule { tenant_id: stranger(), ..same_name }).await);

    let other = harness.schedule(&sample, |_| {}).await;
    let renamed = StoredSchedule { name: first.name.clone(), version: 2, ..other.clone() };
    let taken = harness.schedules.update(renamed).await;
    assert!(is_taken(&taken), "{taken:?}");
    assert_eq!(harness.read(&other).await, Some(other));
    assert!(must(harness.schedules.delete(sample.tenant(), first.id).await));
    harness.schedule(&sample, |schedule| schedule.name = first.name).await;
}

pub(super) async fn of_two_changes_one_wins(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let first = harness.schedule(&sample, |_| {}).await;
    let changed = StoredSchedule {
        name: "nightly".to_owned(),
        definition: "{}".to_owned(),
        next_fire_at: None,
        version: 2,
        ..first.clone()
    };
    must(harness.schedules.update(changed.clone()).await);
    assert_eq!(harness.read(&first).await, Some(changed.clone()));
    let again = harness.schedules.update(changed.clone()).await;
    assert!(is_conflict(&again), "{again:?}");
    let foreign = harness.schedules.update(StoredSchedule { tenant_id: stranger(), version: 3, ..changed }).await;
    assert!(is_conflict(&foreign), "{foreign:?}");
    let unknown = harness.schedules.update(next(&schedule(&sample))).await;
    assert!(is_conflict(&unknown), "{unknown:?}");
}

pub(super) async fn pages_follow_each_other(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(harness.schedule(&sample, |_| {}).await.id);
    }
    ids.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = must(harness.schedules.schedules(sample.tenant(), before, 2).await);
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|schedule| schedule.id));
    }
    assert_eq!(seen, ids);
}

pub(super) async fn what_is_due_goes_by_the_clock(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let (nothing_due_at, nothing) = must(harness.schedules.due(10).await);
    assert_eq!(nothing, []);
    let second = harness.schedule(&sample, |schedule| schedule.next_fire_at = Some(past(20))).await;
    let first = harness.schedule(&sample, |schedule| schedule.next_fire_at = Some(past(10))).await;
    let theirs = harness
        .schedule(&sample, |schedule| {
            schedule.tenant_id = stranger();
            schedule.next_fire_at = Some(past(30));
        })
        .await;
    harness.schedule(&sample, |schedule| schedule.next_fire_at = Some(future())).await;
    harness.schedule(&sample, |schedule| schedule.next_fire_at = None).await;
    let (now, due) = must(harness.schedules.due(10).await);
    assert!(now >= nothing_due_at && now > past(1_000) && now < future(), "{now}");
    assert_eq!(due, [first.clone(), second, theirs], "longest overdue first, of all tenants");
    assert_eq!(must(harness.schedules.due(1).await).1, [first]);
}

pub(super) async fn other_tenants_see_nothing(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let schedule = harness.schedule(&sample, |_| {}).await;
    assert_eq!(must(harness.schedules.schedule(&stranger(), schedule.id).await), None);
    assert_eq!(must(harness.schedules.schedules(&stranger(), None, 10).await), []);
    assert_eq!(must(harness.schedules.fires(&stranger(), schedule.id, None, 10).await), []);
    assert!(!must(harness.schedules.delete(&stranger(), schedule.id).await));
    assert_eq!(harness.read(&schedule).await, Some(schedule));
}
