//! Claims, and what they bring.

use std::collections::BTreeSet;
use std::time::Duration;

use crewd_domain::runs::{CancelMode, CancelRequest, EventKind, Priority, RunStatus, StepPath, StepStatus};
use futures::future::join_all;
use serde_json::json;

use super::harness::{Harness, must, update};
use super::sample::{Sample, at, event};
use crate::ports::{Change, ControlItem, ControlRequest};

const LEASE: Duration = Duration::from_secs(3_600);

pub(super) async fn claims_go_by_priority_then_age(harness: &Harness) {
    let sample = Sample::default();
    let young = sample.submit(harness, Priority::Standard, 30).await;
    let batch = sample.submit(harness, Priority::Batch, 0).await;
    let old = sample.submit(harness, Priority::Standard, 10).await;
    let interactive = sample.submit(harness, Priority::Interactive, 40).await;
    assert_eq!(must(harness.queue.depth().await), 4);
    assert!(must(harness.queue.claim(sample.worker(), 0, LEASE).await).is_empty());
    let mut order = Vec::new();
    for limit in [1, 2, 9] {
        order.extend(must(harness.queue.claim(sample.worker(), limit, LEASE).await).into_iter().map(|claimed| claimed.task.id));
    }
    assert_eq!(order, [interactive.task.id, old.task.id, young.task.id, batch.task.id]);
    assert_eq!(must(harness.queue.depth().await), 0);
    assert!(must(harness.queue.claim(sample.worker(), 9, LEASE).await).is_empty());
}

pub(super) async fn no_two_claimers_get_the_same_run(harness: &Harness) {
    let sample = Sample::default();
    for second in 0..40 {
        sample.submit(harness, Priority::Standard, second).await;
    }
    let mut seen = BTreeSet::new();
    while must(harness.queue.depth().await) > 0 {
        for claimed in join_all((0..8).map(|_| harness.queue.claim(sample.worker(), 3, LEASE))).await {
            for one in must(claimed) {
                assert!(seen.insert(one.run.id), "{} was claimed twice", one.run.id);
            }
        }
    }
    assert_eq!(seen.len(), 40);
    assert_eq!(must(harness.queue.holders().await).len(), 14, "40 runs, 3 a claim");
}

pub(super) async fn a_claim_brings_all_that_is_needed(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let worker = sample.worker();
    let gone = must(harness.queue.claim(worker, 5, LEASE).await);
    assert!(gone.iter().all(|claimed| claimed.definition.is_none()), "the definition is not stored yet");
    assert_eq!(gone.len(), 1);

    let crew = sample.crew("research", "sha256:00", 0);
    must(harness.commit(tenant, [Change::SaveCrew(Box::new(crew.clone()))]).await);
    let second = sample.submit(harness, Priority::Standard, 1).await;
    must(harness.commit(tenant, [event(&second.run, EventKind::Log, 2)]).await);
    let claimed = must(harness.queue.claim(worker, 5, LEASE).await);
    let Some(one) = claimed.first() else { return assert!(!claimed.is_empty()) };
    assert_eq!((&one.task, one.definition.as_ref(), one.last_seq), (&second.task, Some(&crew.definition), 2));
    assert!(one.steps.is_empty());
    assert_eq!((one.run.status, one.run.epoch, one.run.version), (RunStatus::Running, 1, second.run.version + 1));
    assert_eq!(one.run.lease.map(|lease| (lease.worker, lease.epoch)), Some((worker, 1)));
    assert!(one.run.started_at.is_some());
    assert_eq!(harness.view(tenant, second.task.id).await.run, one.run, "what is handed out is what is stored");
    assert_eq!(must(harness.queue.holders().await), [worker]);
    assert_ne!(submitted.run.id, one.run.id);
}

pub(super) async fn a_later_claim_brings_the_journal(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let other = sample.submit(harness, Priority::Standard, 1).await;
    let claimed = must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    let Some(first) = claimed.first() else { return assert!(!claimed.is_empty()) };
    let mut done = sample.step(&first.run, StepPath::crew_task(0).agent().turn(0), 3);
    done.status = StepStatus::Succeeded;
    done.output = Some(json!({"content": "rivers"}));
    let open = sample.step(&first.run, StepPath::crew_task(0).agent().turn(1), 2);
    let mut lost = first.run.clone();
    assert!(lost.lose_worker().is_ok());
    let changes = [
        Change::SaveStep(Box::new(done.clone())),
        Change::SaveStep(Box::new(open.clone())),
        event(&first.run, EventKind::Log, 2),
        update(&lost, first.run.version),
    ];
    must(harness.commit(tenant, changes).await);

    let claimed = must(harness.queue.claim(sample.worker(), 5, LEASE).await);
    let [again, fresh] = claimed.as_slice() else { return assert_eq!(claimed.len(), 2) };
    assert_eq!((again.run.id, again.run.epoch, again.run.crash_count, again.last_seq), (submitted.run.id, 2, 1, 2));
    assert_eq!(again.run.started_at, first.run.started_at, "it was started once");
    assert_eq!(again.steps, [open, done], "in the order of their announcements");
    assert_eq!((fresh.run.id, fresh.steps.len()), (other.run.id, 0));
}

pub(super) async fn control_inputs_reach_the_holder(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let held = sample.submit(harness, Priority::Interactive, 0).await;
    let waiting = sample.submit(harness, Priority::Standard, 0).await;
    let worker = sample.worker();
    must(harness.queue.claim(worker, 1, LEASE).await);
    let cancel = |run: &crewd_domain::runs::Run, actor: &str| ControlItem {
        id: sample.id(),
        run_id: run.id,
        task_id: run.task_id,
        request: ControlRequest::Cancel(CancelRequest {
            mode: CancelMode::Graceful,
            reason: None,
            actor: actor.to_owned(),
            superseded: None,
        }),
    };
    let (first, second, elsewhere) = (cancel(&held.run, "ada"), cancel(&held.run, "bob"), cancel(&waiting.run, "eve"));
    for item in [&second, &first, &elsewhere] {
        must(harness.commit(tenant, [Change::InsertControl(Box::new(item.clone()))]).await);
    }
    assert_eq!(must(harness.queue.controls(worker).await), [first.clone(), second.clone()]);
    assert!(must(harness.queue.controls(sample.worker()).await).is_empty());

    let ids = vec![first.id, second.id];
    let apply = Change::ApplyControls { run_id: held.run.id, ids, applied_seq: 2 };
    must(harness.commit(tenant, [apply, event(&held.run, EventKind::TaskCancelling, 2)]).await);
    assert!(must(harness.queue.controls(worker).await).is_empty());
    let later = cancel(&held.run, "ada");
    must(harness.commit(tenant, [Change::InsertControl(Box::new(later.clone()))]).await);
    assert_eq!(must(harness.queue.controls(worker).await), [later], "what comes later is not applied yet");
    must(harness.queue.claim(worker, 1, LEASE).await);
    assert_eq!(must(harness.queue.controls(worker).await).first().map(|item| item.id), Some(elsewhere.id));
    assert_eq!(harness.view(tenant, waiting.task.id).await.run.created_at, at(0));
}
