//! Runs that nobody holds and that somebody has to look at.

use std::time::Duration;

use crewd_domain::runs::{EventKind, Pause, Priority, Run, RunOutcome, RunStatus, WaitReason};
use crewd_domain::shared::{RunId, Usage};
use serde_json::json;

use super::harness::{Harness, must, update};
use super::questions::question;
use super::sample::{Sample, at, event};
use crate::ports::{Change, ControlItem, ControlRequest, StoreError};

const LEASE: Duration = Duration::from_secs(3_600);
/// Earlier and later than any clock that is under test.
const CENTURY: i64 = 100 * 365 * 24 * 60 * 60;

async fn due(harness: &Harness, limit: u32) -> Vec<RunId> {
    must(harness.queue.due(limit).await).into_iter().map(|due| due.run.id).collect()
}

async fn scheduled(harness: &Harness, sample: &Sample, second: i64) -> Run {
    let mut task = sample.queued(Priority::Standard, 0);
    task.run = Run::scheduled(task.run.id, task.task.id, sample.tenant().clone(), at(second), at(0));
    must(harness.store.commit(task.unit()).await);
    task.run
}

/// A run that a worker took and parked until an instant, or for ever.
async fn parked(harness: &Harness, sample: &Sample, until: Option<i64>) -> Run {
    sample.submit(harness, Priority::Interactive, 0).await;
    let mut run = Run::queued(RunId::new(sample.id()), sample.queued(Priority::Batch, 0).task.id, sample.tenant().clone(), at(0));
    for claimed in must(harness.queue.claim(sample.worker(), 1, LEASE).await) {
        run = claimed.run;
        let version = run.version;
        let pause = Pause { reason: WaitReason::Timer, until: until.map(at), details: json!({}) };
        assert!(run.wait(pause, at(1)).is_ok());
        must(harness.commit(sample.tenant(), [update(&run, version)]).await);
    }
    run
}

fn order(sample: &Sample, run: &Run) -> ControlItem {
    let request = ControlRequest::Resume { actor: "ada".to_owned() };
    ControlItem { id: sample.id(), run_id: run.id, task_id: run.task_id, request }
}

pub(super) async fn what_is_overdue_is_found(harness: &Harness) {
    let sample = Sample::default();
    assert!(due(harness, 9).await.is_empty());
    let timer = parked(harness, &sample, Some(-CENTURY + 2)).await;
    parked(harness, &sample, Some(CENTURY)).await;
    parked(harness, &sample, None).await;
    let soon = scheduled(harness, &sample, -CENTURY + 1).await;
    scheduled(harness, &sample, CENTURY).await;
    let mut tired = sample.queued(Priority::Standard, 0);
    tired.run.wake_at = Some(at(-CENTURY + 3));
    must(harness.store.commit(tired.unit()).await);
    sample.submit(harness, Priority::Standard, 0).await;
    assert_eq!(due(harness, 9).await, [soon.id, timer.id, tired.run.id], "the longest overdue first");
    assert_eq!(due(harness, 2).await, [soon.id, timer.id]);
    assert!(due(harness, 0).await.is_empty());

    // What is done about it ends it.
    let mut woken = timer.clone();
    assert!(woken.wake(at(5)).is_ok());
    let mut queued = soon.clone();
    assert!(queued.become_due(None).is_ok());
    must(harness.commit(sample.tenant(), [update(&woken, timer.version), update(&queued, soon.version)]).await);
    assert_eq!(due(harness, 9).await, [tired.run.id]);
    let claimed = must(harness.queue.claim(sample.worker(), 9, LEASE).await);
    assert_eq!(claimed.len(), 4);
    assert!(claimed.iter().all(|one| one.run.wake_at.is_none()), "a claimed run waits for no worker");
    assert!(claimed.iter().any(|one| one.run.woken_from == Some(WaitReason::Timer)), "its worker is told why it woke up");
    assert!(due(harness, 9).await.is_empty());
}

pub(super) async fn an_order_for_a_waiting_run_is_due(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let waiting = parked(harness, &sample, None).await;
    let queued = sample.submit(harness, Priority::Standard, 0).await.run;
    let (first, second) = (order(&sample, &waiting), order(&sample, &waiting));
    for item in [&second, &first, &order(&sample, &queued)] {
        must(harness.commit(tenant, [Change::InsertControl(Box::new(item.clone()))]).await);
    }
    let asked = question(&sample, &waiting);
    must(harness.commit(tenant, [Change::InsertApproval(Box::new(asked.clone())), event(&waiting, EventKind::Log, 2)]).await);
    let found = must(harness.queue.due(9).await);
    let [one] = found.as_slice() else { return assert_eq!(found.len(), 1) };
    assert_eq!((&one.run, one.task.id, one.last_seq), (&waiting, waiting.task_id, 2));
    assert_eq!(one.controls, [first.clone(), second.clone()]);
    assert_eq!(one.pending, [asked]);
    assert!(one.now > at(-CENTURY) && one.now < at(CENTURY));
    assert_eq!(must(harness.queries.orders(tenant, waiting.id).await), [first.clone(), second.clone()]);

    // Of the orders of a run some may be applied and others not.
    let apply = |item: &ControlItem| Change::ApplyControls { run_id: waiting.id, ids: vec![item.id], applied_seq: 3 };
    must(harness.commit(tenant, [apply(&first)]).await);
    assert_eq!(must(harness.queue.due(9).await).first().map(|one| one.controls.clone()), Some(vec![second.clone()]));
    assert_eq!(must(harness.queries.orders(tenant, waiting.id).await), std::slice::from_ref(&second));
    must(harness.commit(tenant, [apply(&second)]).await);
    assert!(due(harness, 9).await.is_empty());
    assert!(must(harness.queries.orders(tenant, waiting.id).await).is_empty());
}

pub(super) async fn an_ended_run_takes_no_orders(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let waiting = parked(harness, &sample, None).await;
    let insert = |item: &ControlItem| Change::InsertControl(Box::new(item.clone()));
    let early = order(&sample, &waiting);
    must(harness.commit(tenant, [insert(&early)]).await);
    let mut ended = waiting.clone();
    assert!(ended.finish(RunOutcome::Cancelled { output: json!({}) }, Usage::default(), 0, at(2)).is_ok());
    must(harness.commit(tenant, [update(&ended, waiting.version)]).await);
    assert!(must(harness.queries.orders(tenant, waiting.id).await).is_empty(), "nobody heeds it any more");
    let late = order(&sample, &waiting);
    let refused = harness.commit(tenant, [event(&waiting, EventKind::Log, 2), insert(&late)]).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(must(harness.queries.last_seq(tenant, waiting.task_id).await), 1);
    assert!(must(harness.queries.orders(tenant, waiting.id).await).is_empty());
}

pub(super) async fn an_ended_run_is_never_due(harness: &Harness) {
    let sample = Sample::default();
    let waiting = parked(harness, &sample, Some(-CENTURY)).await;
    must(harness.commit(sample.tenant(), [Change::InsertControl(Box::new(order(&sample, &waiting)))]).await);
    assert_eq!(due(harness, 9).await, [waiting.id]);
    let mut ended = waiting.clone();
    let outcome = RunOutcome::Cancelled { output: json!({}) };
    assert!(ended.finish(outcome, Usage::default(), 0, at(2)).is_ok());
    must(harness.commit(sample.tenant(), [update(&ended, waiting.version)]).await);
    assert!(due(harness, 9).await.is_empty());
    let stored = must(harness.queries.run(sample.tenant(), waiting.id).await);
    assert_eq!(stored.map(|run| (run.status, run.wake_at)), Some((RunStatus::Cancelled, None)));
}
