//! Exactly one decision for each time.

use std::sync::Arc;

use crewd_domain::runs::Priority;
use futures::future::join_all;

use super::harness::{ScheduleHarness, fire, firing, is_conflict, next, past};
use crate::ports::{Change, SCHEDULE_FIRE, StoreError, StoredFire, UnitOfWork};
use crate::testing::store::{Sample, at, must, stranger};

fn is_taken(result: &Result<(), StoreError>) -> bool {
    matches!(result, Err(StoreError::Duplicate(key)) if key == SCHEDULE_FIRE)
}

pub(super) async fn a_fire_and_its_task_are_stored_together(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let schedule = harness.schedule(&sample, |_| {}).await;
    let (submitted, unit) = firing(&sample, &schedule, past(0));
    must(harness.store.commit(unit).await);
    assert!(harness.has_task(&submitted).await);
    assert_eq!(harness.read(&schedule).await, Some(next(&schedule)));
    assert_eq!(harness.fires(&schedule).await, [fire(&schedule, past(0), &submitted)]);

    // The same time again, decided on the schedule as it is now.
    let (late, unit) = firing(&sample, &next(&schedule), past(0));
    let refused = harness.store.commit(unit).await;
    assert!(is_taken(&refused), "{refused:?}");
    assert!(!harness.has_task(&late).await);
    assert_eq!(harness.read(&schedule).await, Some(next(&schedule)));

    let mut skipped = UnitOfWork::new(sample.tenant().clone());
    let reason = Some("the run before is not done".to_owned());
    let fire = StoredFire { outcome: "skipped".to_owned(), task_id: None, reason, ..fire(&schedule, past(60), &submitted) };
    skipped.push(Change::InsertScheduleFire(Box::new(fire.clone())));
    must(harness.store.commit(skipped).await);
    assert_eq!(harness.fires(&schedule).await.first(), Some(&fire));

    let mut foreign = UnitOfWork::new(stranger());
    foreign.push(Change::InsertScheduleFire(Box::new(StoredFire { fire_time: past(99), ..fire })));
    assert!(harness.store.commit(foreign).await.is_err());
    let mut foreign = UnitOfWork::new(stranger());
    foreign.push(Change::UpdateSchedule(Box::new(next(&next(&schedule)))));
    assert!(harness.store.commit(foreign).await.is_err());
}

pub(super) async fn a_time_without_a_task_gives_way_to_its_task(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let schedule = harness.schedule(&sample, |_| {}).await;
    let submitted = sample.queued(Priority::Standard, 0);
    let missed = StoredFire { outcome: "missed".to_owned(), task_id: None, ..fire(&schedule, past(0), &submitted) };
    let alone = |fire: &StoredFire| {
        let mut unit = UnitOfWork::new(sample.tenant().clone());
        unit.push(Change::InsertScheduleFire(Box::new(fire.clone())));
        unit
    };
    must(harness.store.commit(alone(&missed)).await);
    let again = harness.store.commit(alone(&missed)).await;
    assert!(is_taken(&again), "{again:?}");
    // Of several that come at once, one gets the place.
    let rivals: Vec<_> = (0..4).map(|_| sample.queued(Priority::Standard, 0)).collect();
    let commits = rivals.iter().map(|rival| {
        let (store, mut unit) = (Arc::clone(&harness.store), rival.unit());
        unit.push(Change::InsertScheduleFire(Box::new(fire(&schedule, past(0), rival))));
        async move { store.commit(unit).await }
    });
    let results = join_all(commits).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for (rival, result) in rivals.iter().zip(&results) {
        assert!(result.is_ok() || is_taken(result), "{result:?}");
        assert_eq!(harness.has_task(rival).await, result.is_ok());
    }
    let late = harness.store.commit(alone(&missed)).await;
    assert!(is_taken(&late), "a task never gives way: {late:?}");
    assert_eq!(harness.fires(&schedule).await.len(), 1);
}

pub(super) async fn each_time_fires_once(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let schedule = harness.schedule(&sample, |_| {}).await;
    for round in 0..5 {
        // Only the key stands between them: the schedule itself is left alone.
        let rivals: Vec<_> = (0..8)
            .map(|_| {
                let submitted = sample.queued(Priority::Standard, 0);
                let mut unit = submitted.unit();
                unit.push(Change::InsertScheduleFire(Box::new(fire(&schedule, past(round), &submitted))));
                (submitted, unit)
            })
            .collect();
        let commits = rivals.iter().map(|(_, unit)| {
            let (store, unit) = (Arc::clone(&harness.store), unit.clone());
            async move { store.commit(unit).await }
        });
        let results = join_all(commits).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for ((submitted, _), result) in rivals.iter().zip(&results) {
            assert!(result.is_ok() || is_taken(result), "{result:?}");
            assert_eq!(harness.has_task(submitted).await, result.is_ok());
        }
    }
    assert_eq!(harness.fires(&schedule).await.len(), 5);
}

pub(super) async fn a_schedule_that_has_changed_does_not_fire(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let schedule = harness.schedule(&sample, |_| {}).await;
    must(harness.schedules.update(next(&schedule)).await);
    let (stale, unit) = firing(&sample, &schedule, past(0));
    let refused = harness.store.commit(unit).await;
    assert!(is_conflict(&refused), "{refused:?}");
    assert!(!harness.has_task(&stale).await);
    assert_eq!(harness.fires(&schedule).await, []);

    let rivals: Vec<_> = (0..6).map(|second| firing(&sample, &next(&schedule), past(second))).collect();
    let commits = rivals.iter().map(|(_, unit)| {
        let (store, unit) = (Arc::clone(&harness.store), unit.clone());
        async move { store.commit(unit).await }
    });
    let results = join_all(commits).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert!(results.iter().all(|result| result.is_ok() || is_conflict(result)), "{results:?}");
    assert_eq!(harness.fires(&schedule).await.len(), 1);

    assert!(must(harness.schedules.delete(sample.tenant(), schedule.id).await));
    let (gone, unit) = firing(&sample, &next(&next(&schedule)), past(9));
    let refused = harness.store.commit(unit).await;
    assert!(is_conflict(&refused), "{refused:?}");
    assert!(!harness.has_task(&gone).await);
}

pub(super) async fn fires_are_listed_latest_first(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let schedule = harness.schedule(&sample, |_| {}).await;
    let submitted = sample.queued(Priority::Standard, 0);
    let mut unit = UnitOfWork::new(sample.tenant().clone());
    for second in [30, 10, 50, 20, 40] {
        unit.push(Change::InsertScheduleFire(Box::new(fire(&schedule, past(second), &submitted))));
    }
    must(harness.store.commit(unit).await);
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = must(harness.schedules.fires(sample.tenant(), schedule.id, before, 2).await);
        let Some(last) = page.last() else { break };
        before = Some(last.fire_time);
        seen.extend(page.iter().map(|fire| fire.fire_time));
    }
    assert_eq!(seen, [past(50), past(40), past(30), past(20), past(10)]);
    assert!(harness.fires(&schedule).await.iter().all(|fire| fire.at == at(1)));
}

pub(super) async fn a_deleted_schedule_takes_its_fires_along(harness: &ScheduleHarness) {
    let sample = Sample::default();
    let (schedule, spared) = (harness.schedule(&sample, |_| {}).await, harness.schedule(&sample, |_| {}).await);
    let (submitted, unit) = firing(&sample, &schedule, past(0));
    must(harness.store.commit(unit).await);
    let (_, unit) = firing(&sample, &spared, past(0));
    must(harness.store.commit(unit).await);
    assert!(must(harness.schedules.delete(sample.tenant(), schedule.id).await));
    assert!(!must(harness.schedules.delete(sample.tenant(), schedule.id).await));
    assert_eq!(harness.read(&schedule).await, None);
    assert_eq!(harness.fires(&schedule).await, []);
    assert_eq!(harness.fires(&spared).await.len(), 1);
    assert!(harness.has_task(&submitted).await, "tasks stay");
}
