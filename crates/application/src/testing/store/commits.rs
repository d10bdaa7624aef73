//! A unit is stored whole, or nothing of it.

use crewd_domain::runs::{CancelMode, CancelRequest, EventKind, Priority, RunStatus, StepPath, StepStatus};
use crewd_domain::shared::Usage;
use serde_json::json;

use super::harness::{Harness, must, update};
use super::sample::{Sample, at, event, stranger};
use crate::ports::{Change, StoreError, UnitOfWork};

pub(super) async fn a_unit_is_stored_whole(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    assert!(harness.store.commit(UnitOfWork::new(tenant.clone())).await.is_ok(), "an empty unit is no error");
    let queued = sample.queued(Priority::Standard, 0);
    let mut unit = queued.unit();
    let key = sample.key("k", queued.task.id, 0);
    unit.push(Change::InsertIdempotencyKey(Box::new(key.clone())));
    unit.push(Change::SaveCrew(Box::new(sample.crew("research", "sha256:00", 0))));
    must(harness.store.commit(unit).await);
    let view = harness.view(tenant, queued.task.id).await;
    assert_eq!((view.task, view.run), (queued.task.clone(), queued.run));
    assert_eq!(must(harness.queries.last_seq(tenant, queued.task.id).await), 1);
    assert_eq!(must(harness.queries.idempotency(tenant, &key.route, &key.key, at(1)).await), Some(key));
    assert!(must(harness.queries.crew(tenant, "research", "sha256:00").await).is_some());
}

pub(super) async fn a_failed_unit_leaves_nothing(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let first = sample.submit(harness, Priority::Standard, 0).await;
    must(harness.commit(tenant, [Change::InsertIdempotencyKey(Box::new(sample.key("k", first.task.id, 0)))]).await);

    let second = sample.queued(Priority::Standard, 1);
    let mut unit = second.unit();
    unit.push(Change::InsertIdempotencyKey(Box::new(sample.key("k", second.task.id, 1))));
    let refused = harness.store.commit(unit).await;
    assert!(matches!(&refused, Err(StoreError::Duplicate(key)) if key == "idempotency_key"), "{refused:?}");
    assert_eq!(must(harness.queries.task(tenant, second.task.id).await), None);
    assert_eq!(must(harness.queries.last_seq(tenant, second.task.id).await), 0);

    let step = sample.step(&first.run, StepPath::crew_task(0).agent().turn(0), 2);
    let changes = [event(&first.run, EventKind::Log, 2), Change::SaveStep(Box::new(step)), event(&first.run, EventKind::Log, 1)];
    let refused = harness.commit(tenant, changes).await;
    assert!(matches!(&refused, Err(StoreError::Duplicate(key)) if key == "event_seq"), "{refused:?}");
    assert_eq!(must(harness.queries.last_seq(tenant, first.task.id).await), 1);
    assert_eq!(must(harness.queries.steps(tenant, first.run.id).await), []);

    let refused = harness.store.commit(first.unit()).await;
    assert!(matches!(&refused, Err(StoreError::Duplicate(key)) if key == "task_id"), "{refused:?}");
    let homeless = sample.queued(Priority::Standard, 2);
    let refused = harness.commit(tenant, [Change::InsertRun(Box::new(homeless.run))]).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "a run needs its task: {refused:?}");
}

pub(super) async fn of_two_writers_one_wins(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let mut cancelled = submitted.run.clone();
    let request = CancelRequest {
        mode: CancelMode::Immediate,
        reason: Some("enough".to_owned()),
        actor: "ada".to_owned(),
        superseded: None,
    };
    assert!(cancelled.cancel_unstarted(request, at(5)).is_ok());

    let stale = harness.commit(tenant, [event(&cancelled, EventKind::TaskCancelled, 2), update(&cancelled, 7)]).await;
    assert!(matches!(stale, Err(StoreError::Conflict)), "{stale:?}");
    assert_eq!(must(harness.queries.last_seq(tenant, submitted.task.id).await), 1);
    let version = submitted.run.version;
    must(harness.commit(tenant, [update(&cancelled, version), event(&cancelled, EventKind::TaskCancelled, 2)]).await);
    assert_eq!(harness.view(tenant, submitted.task.id).await.run, cancelled);
    let again = harness.commit(tenant, [update(&cancelled, version)]).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");

    let unknown = sample.queued(Priority::Standard, 0).run;
    let missing = harness.commit(tenant, [update(&unknown, unknown.version)]).await;
    assert!(matches!(missing, Err(StoreError::Conflict)), "{missing:?}");
}

pub(super) async fn a_step_is_replaced_whole(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let later = sample.step(&submitted.run, StepPath::crew_task(0).agent().turn(0), 9);
    let mut earlier = sample.step(&submitted.run, StepPath::crew_task(1).agent().turn(0), 4);
    must(harness.commit(tenant, [Change::SaveStep(Box::new(later.clone())), Change::SaveStep(Box::new(earlier.clone()))]).await);
    assert_eq!(must(harness.queries.steps(tenant, submitted.run.id).await), [earlier.clone(), later.clone()]);

    earlier.status = StepStatus::Failed;
    let announced_again = earlier.clone();
    earlier.status = StepStatus::Succeeded;
    earlier.attempt = 2;
    earlier.output = Some(json!({"content": "ü"}));
    earlier.usage = Usage { input_tokens: 3, output_tokens: 4, llm_calls: 1, ..Usage::default() };
    earlier.finished_at = Some(at(20));
    let changes = [Change::SaveStep(Box::new(announced_again)), Change::SaveStep(Box::new(earlier.clone()))];
    must(harness.commit(tenant, changes).await);
    assert_eq!(must(harness.queries.steps(tenant, submitted.run.id).await), [earlier, later], "the last of a unit counts");
}

pub(super) async fn several_transitions_of_one_unit_follow_each_other(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let queued = sample.queued(Priority::Standard, 0);
    let mut running = queued.run.clone();
    assert!(running.claim(sample.worker(), at(3_600), at(1)).is_ok());
    let mut back = running.clone();
    assert!(back.hand_back().is_ok());
    let mut unit = queued.unit();
    unit.push(update(&running, queued.run.version));
    unit.push(update(&back, running.version));
    must(harness.store.commit(unit).await);
    let stored = harness.view(tenant, queued.task.id).await.run;
    assert_eq!((stored.status, stored.epoch, stored.lease), (RunStatus::Queued, 1, None));
    assert_eq!(stored, back);
}

pub(super) async fn no_unit_writes_for_another_tenant(harness: &Harness) {
    let sample = Sample::default();
    let submitted = sample.submit(harness, Priority::Standard, 0).await;
    let mut running = submitted.run.clone();
    assert!(running.claim(sample.worker(), at(3_600), at(1)).is_ok());
    let step = sample.step(&submitted.run, StepPath::crew_task(0).agent().turn(0), 2);
    let theirs = sample.queued(Priority::Standard, 1);
    let key = sample.key("k", submitted.task.id, 0);
    for change in [
        update(&running, submitted.run.version),
        event(&submitted.run, EventKind::Log, 2),
        Change::SaveStep(Box::new(step)),
        Change::ApplyControls { run_id: submitted.run.id, ids: vec![sample.id()], applied_seq: 2 },
        Change::InsertTask(Box::new(theirs.task)),
        Change::SaveCrew(Box::new(sample.crew("research", "sha256:01", 0))),
        Change::InsertIdempotencyKey(Box::new(key.clone())),
    ] {
        let shown = format!("{change:?}");
        assert!(harness.commit(&stranger(), [change]).await.is_err(), "{shown}");
    }
    let tenant = sample.tenant();
    assert_eq!(harness.view(tenant, submitted.task.id).await.run, submitted.run);
    assert_eq!(must(harness.queries.last_seq(tenant, submitted.task.id).await), 1);
    assert_eq!(must(harness.queries.steps(tenant, submitted.run.id).await), []);
    assert_eq!(must(harness.queries.idempotency(tenant, &key.route, &key.key, at(1)).await), None);
    assert_eq!(must(harness.queries.crew(tenant, "research", "sha256:01").await), None);
}

pub(super) async fn an_idempotency_key_is_free_again_after_a_day(harness: &Harness) {
    const DAY: i64 = 24 * 60 * 60;
    let sample = Sample::default();
    let tenant = sample.tenant();
    let (first, second) =
        (sample.submit(harness, Priority::Standard, 0).await, sample.submit(harness, Priority::Standard, 0).await);
    let key = sample.key("k", first.task.id, 0);
    must(harness.commit(tenant, [Change::InsertIdempotencyKey(Box::new(key.clone()))]).await);
    assert_eq!(must(harness.queries.idempotency(tenant, &key.route, "k", at(DAY - 1)).await), Some(key.clone()));
    assert_eq!(must(harness.queries.idempotency(tenant, &key.route, "k", at(DAY)).await), None);
    assert_eq!(must(harness.queries.idempotency(tenant, "POST /api/v1/crews", "k", at(1)).await), None, "another route");

    let early = Change::InsertIdempotencyKey(Box::new(sample.key("k", second.task.id, DAY - 1)));
    assert!(matches!(harness.commit(tenant, [early]).await, Err(StoreError::Duplicate(_))));
    let renewed = sample.key("k", second.task.id, DAY);
    must(harness.commit(tenant, [Change::InsertIdempotencyKey(Box::new(renewed.clone()))]).await);
    assert_eq!(must(harness.queries.idempotency(tenant, &key.route, "k", at(DAY + 1)).await), Some(renewed));
}
