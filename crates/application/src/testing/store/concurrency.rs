//! Many callers at once, as in group commit.

use crewd_domain::runs::{EventKind, Priority};
use futures::future::join_all;

use super::harness::{Harness, must, update};
use super::sample::{Sample, at, event};
use crate::ports::StoreError;

pub(super) async fn many_units_at_once_are_all_stored(harness: &Harness) {
    let sample = Sample::default();
    let tasks: Vec<_> = (0..150).map(|second| sample.queued(Priority::Standard, second)).collect();
    for result in join_all(tasks.iter().map(|task| harness.store.commit(task.unit()))).await {
        must(result);
    }
    let rounds = tasks.iter().flat_map(|task| (2..5).map(move |seq| event(&task.run, EventKind::Log, seq)));
    for result in join_all(rounds.map(|change| harness.commit(sample.tenant(), [change]))).await {
        must(result);
    }
    for task in &tasks {
        assert_eq!(must(harness.queries.last_seq(sample.tenant(), task.task.id).await), 4);
    }
    assert_eq!(must(harness.queue.depth().await), 150);
}

pub(super) async fn a_bad_unit_hurts_no_other(harness: &Harness) {
    let sample = Sample::default();
    let taken = sample.submit(harness, Priority::Standard, 0).await;
    let tasks: Vec<_> = (0..40).map(|second| sample.queued(Priority::Standard, second)).collect();
    let mut units: Vec<_> = tasks.iter().map(super::Submitted::unit).collect();
    for (place, unit) in units.iter_mut().enumerate().filter(|(place, _)| place % 13 == 5) {
        let bad = if place == 5 { update(&taken.run, 99) } else { event(&taken.run, EventKind::Log, 1) };
        unit.push(bad);
    }
    let results = join_all(units.into_iter().map(|unit| harness.store.commit(unit))).await;
    for (place, (result, task)) in results.iter().zip(&tasks).enumerate() {
        let stored = must(harness.queries.task(sample.tenant(), task.task.id).await).is_some();
        match place {
            5 => assert!(matches!(result, Err(StoreError::Conflict)) && !stored, "{place}: {result:?}"),
            18 | 31 => assert!(matches!(result, Err(StoreError::Duplicate(_))) && !stored, "{place}: {result:?}"),
            _ => assert!(result.is_ok() && stored, "{place}: {result:?}"),
        }
    }
}

pub(super) async fn of_many_updates_of_a_version_one_wins(harness: &Harness) {
    let sample = Sample::default();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let attempts = (0..16).map(|second| {
        let mut running = submitted.run.clone();
        assert!(running.claim(sample.worker(), at(3_600), at(second)).is_ok());
        running
    });
    let attempts: Vec<_> = attempts.collect();
    let commits = attempts.iter().map(|run| harness.commit(sample.tenant(), [update(run, submitted.run.version)]));
    let results = join_all(commits).await;
    let winners: Vec<_> = attempts.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(run, _)| run).collect();
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Conflict))), "{results:?}");
    let stored = harness.view(sample.tenant(), submitted.task.id).await.run;
    assert_eq!(winners, [&stored], "exactly one");
}

pub(super) async fn of_many_events_of_a_number_one_wins(harness: &Harness) {
    let sample = Sample::default();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let commits = (0..16).map(|_| harness.commit(sample.tenant(), [event(&submitted.run, EventKind::Log, 2)]));
    let results = join_all(commits).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Duplicate(_)))), "{results:?}");
}
