//! Whoever lost its lease writes nothing more.

use std::time::Duration;

use crewd_domain::runs::{EventKind, Priority, Run, RunOutcome, StepPath};
use crewd_domain::shared::Usage;
use serde_json::json;

use super::harness::{Harness, must, update};
use super::sample::{Sample, at, event};
use crate::ports::{Change, LeaseGuard, StoreError, UnitOfWork};

const LEASE: Duration = Duration::from_secs(3_600);

fn guarded(run: &Run, epoch: u64, change: Change) -> UnitOfWork {
    let mut unit = UnitOfWork::new(run.tenant_id.clone());
    unit.guard(LeaseGuard { run_id: run.id, epoch });
    unit.push(change);
    unit
}

pub(super) async fn only_the_holder_writes(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let log = |seq| event(&submitted.run, EventKind::Log, seq);
    must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    must(harness.store.commit(guarded(&submitted.run, 1, log(2))).await);
    for epoch in [0, 2, u64::MAX] {
        let refused = harness.store.commit(guarded(&submitted.run, epoch, log(3))).await;
        assert!(matches!(refused, Err(StoreError::Fenced)), "{epoch}: {refused:?}");
    }
    let step = sample.step(&submitted.run, StepPath::crew_task(0).agent().turn(0), 3);
    let refused = harness.store.commit(guarded(&submitted.run, 2, Change::SaveStep(Box::new(step)))).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    assert_eq!(must(harness.queries.last_seq(tenant, submitted.task.id).await), 2);
    assert_eq!(must(harness.queries.steps(tenant, submitted.run.id).await), []);
    let unknown = sample.queued(Priority::Standard, 0).run;
    let refused = harness.store.commit(guarded(&unknown, 0, event(&unknown, EventKind::Log, 1))).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
}

pub(super) async fn an_earlier_holder_is_fenced(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let first = must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    let Some(first) = first.first() else { return assert!(!first.is_empty()) };
    let mut lost = first.run.clone();
    assert!(lost.lose_worker().is_ok());
    must(harness.commit(tenant, [update(&lost, first.run.version)]).await);
    must(harness.queue.claim(sample.worker(), 1, LEASE).await);

    let mut finished = first.run.clone();
    assert!(finished.finish(RunOutcome::Succeeded { output: json!("zombie") }, Usage::default(), 0, at(9)).is_ok());
    let refused = harness.store.commit(guarded(&first.run, 1, update(&finished, first.run.version))).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    let refused = harness.store.commit(guarded(&first.run, 1, event(&first.run, EventKind::Log, 2))).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    must(harness.store.commit(guarded(&first.run, 2, event(&first.run, EventKind::Log, 2))).await);
    assert_eq!(must(harness.queries.last_seq(tenant, submitted.task.id).await), 2);
}

pub(super) async fn a_run_that_nobody_holds_takes_no_guarded_write(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let queued = harness.store.commit(guarded(&submitted.run, 0, event(&submitted.run, EventKind::Log, 2))).await;
    assert!(matches!(queued, Err(StoreError::Fenced)), "{queued:?}");
    let claimed = must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    let Some(claimed) = claimed.first() else { return assert!(!claimed.is_empty()) };
    let mut finished = claimed.run.clone();
    assert!(finished.finish(RunOutcome::Succeeded { output: json!("done") }, Usage::default(), 0, at(9)).is_ok());
    let mut unit = guarded(&finished, 1, update(&finished, claimed.run.version));
    unit.push(event(&finished, EventKind::TaskSucceeded, 2));
    must(harness.store.commit(unit).await);
    let after_the_end = harness.store.commit(guarded(&finished, 1, event(&finished, EventKind::Log, 3))).await;
    assert!(matches!(after_the_end, Err(StoreError::Fenced)), "{after_the_end:?}");
    assert_eq!(harness.view(tenant, submitted.task.id).await.run, finished);
}
