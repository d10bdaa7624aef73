//! Further runs of a task, business keys, and what runs and tasks say of where they come from.

use std::time::Duration;

use chrono::{DateTime, Utc};
use crewd_domain::runs::{
    Concurrency, ConcurrencyMode, DeadLetter, EventKind, Failure, FailureClass, ForkEffects, ForkOverrides, Origin, Pause,
    Priority, Run, RunOutcome, StepPath, TaskOptions, WaitReason,
};
use crewd_domain::shared::{RunId, ScheduleId, TaskId, Usage, WebhookId};
use futures::future::join_all;
use serde_json::json;

use super::harness::{Harness, must, update};
use super::sample::{Sample, Submitted, at, event, object, stranger};
use crate::ports::{Change, DEDUP_KEY, DedupRecord, StoreError, TaskFilter};

const LEASE: Duration = Duration::from_secs(3_600);

fn second_run(sample: &Sample, first: &Run) -> Run {
    let next = Run::queued(RunId::new(sample.id()), first.task_id, first.tenant_id.clone(), at(60));
    Run { attempt: 2, parent: Some(first.id), ..next }
}

fn follow(next: &Run, expected: RunId) -> [Change; 2] {
    [Change::InsertRun(Box::new(next.clone())), Change::SetCurrentRun { task_id: next.task_id, run_id: next.id, expected }]
}

async fn fail(harness: &Harness, run: &Run, class: FailureClass) -> Run {
    let mut failed = run.clone();
    let outcome = RunOutcome::Failed { failure: Failure::new(class, "broken", "it broke"), output: json!({}) };
    assert!(failed.finish(outcome, Usage::default(), 0, at(9)).is_ok());
    must(harness.commit(&run.tenant_id, [update(&failed, run.version)]).await);
    failed
}

pub(super) async fn a_further_run_becomes_the_current_one(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let Submitted { task, run: queued } = sample.submit(harness, Priority::Interactive, 0).await;
    sample.submit(harness, Priority::Standard, 1).await;
    must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    let Some(held) = must(harness.queries.run(tenant, queued.id).await) else { return };
    let first = fail(harness, &held, FailureClass::ToolError).await;
    let next = second_run(&sample, &first);

    let wrong = harness.commit(tenant, follow(&next, RunId::new(sample.id()))).await;
    assert!(matches!(wrong, Err(StoreError::Conflict)), "{wrong:?}");
    assert_eq!(must(harness.queries.run(tenant, next.id).await), None, "nothing of the unit is stored");
    assert!(harness.commit(&stranger(), follow(&next, first.id)).await.is_err());
    let rivals: Vec<Run> = (0..4).map(|_| second_run(&sample, &first)).collect();
    let results = join_all(rivals.iter().map(|rival| harness.commit(tenant, follow(rival, first.id)))).await;
    let winners: Vec<&Run> = rivals.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(run, _)| run).collect();
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Conflict))), "{results:?}");
    let [winner] = winners.as_slice() else { return assert_eq!(winners.len(), 1) };

    let view = harness.view(tenant, task.id).await;
    assert_eq!((view.task.current_run, &view.run), (winner.id, *winner));
    assert_eq!(must(harness.queries.runs_of(tenant, task.id).await), [first.clone(), (*winner).clone()]);
    assert_eq!(must(harness.queries.run(tenant, first.id).await), Some(first.clone()));
    assert_eq!(must(harness.queries.run(&stranger(), first.id).await), None);
    assert_eq!(must(harness.queries.runs_of(&stranger(), task.id).await), []);
    let claimed = must(harness.queue.claim(sample.worker(), 1, LEASE).await);
    assert_eq!(claimed.first().map(|one| one.run.id), Some(winner.id), "it has the priority of its task");
}

pub(super) async fn all_that_a_run_says_is_read_back(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let (origin, parent) = (TaskId::new(sample.id()), RunId::new(sample.id()));
    let step = StepPath::crew_task(1).agent().turn(0);
    let overrides = ForkOverrides { model: Some("qwen-max".to_owned()), ..ForkOverrides::default() };
    let options = TaskOptions {
        not_before: Some(at(5)),
        queue_timeout_seconds: Some(60),
        step_timeout_seconds: Some(30),
        concurrency: Some(Concurrency { key: "chat".to_owned(), mode: ConcurrencyMode::Rollback }),
        dedup_key: Some("order-7".to_owned()),
        webhook: Some(WebhookId::new(sample.id())),
        schedule: Some(ScheduleId::new(sample.id())),
        origin: Some(Origin {
            task_id: origin,
            run_id: parent,
            from_step: Some(step.clone()),
            effects: ForkEffects::DryRun,
            overrides: ForkOverrides { inputs: object(&json!({"topic": "seas"})), ..overrides },
            replay: true,
            dated: at(1),
        }),
    };
    let mut submitted = sample.queued(Priority::Standard, 0);
    submitted.task.options = options;
    submitted.run.parent = Some(parent);
    submitted.run.fork_step = Some(step.clone());
    submitted.run.concurrency_key = Some("chat".to_owned());
    submitted.run.stop_after = Some(step.parent().unwrap_or_else(|| step.clone()));
    submitted.run.wake_at = Some(at(9_000));
    must(harness.store.commit(submitted.unit()).await);
    let stored = harness.view(tenant, submitted.task.id).await;
    assert_eq!((&stored.task, &stored.run), (&submitted.task, &submitted.run));

    let Some(claimed) = must(harness.queue.claim(sample.worker(), 1, LEASE).await).pop() else { return };
    assert_eq!((&claimed.task, claimed.run.wake_at), (&submitted.task, None));
    let mut run = claimed.run;
    let version = run.version;
    let pause = Pause { reason: WaitReason::Reconcile, until: Some(at(700)), details: json!({}) };
    assert!(run.wait(pause, at(600)).is_ok());
    let mut taken_over = sample.step(&run, step, 2);
    taken_over.reused_from = Some(parent);
    must(harness.commit(tenant, [update(&run, version), Change::SaveStep(Box::new(taken_over.clone()))]).await);
    assert_eq!(must(harness.queries.run(tenant, run.id).await).as_ref(), Some(&run));
    assert_eq!(must(harness.queries.steps(tenant, run.id).await), [taken_over]);

    let version = run.version;
    assert!(run.wake(at(605)).is_ok());
    assert_eq!((run.waited_ms, run.woken_from), (5_000, Some(WaitReason::Reconcile)));
    run.stop_after = None;
    run.state_hash = Some("cd".repeat(32));
    must(harness.commit(tenant, [update(&run, version)]).await);
    assert_eq!(must(harness.queries.run(tenant, run.id).await), Some(run));
}

fn holds(
    sample: &Sample,
    key: &str,
    task: &Submitted,
    expires_at: Option<DateTime<Utc>>,
    replaces: Option<TaskId>,
) -> DedupRecord {
    DedupRecord { tenant_id: sample.tenant().clone(), key: key.to_owned(), task_id: task.task.id, expires_at, replaces }
}

pub(super) async fn a_business_key_is_held_by_one_task(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let with_key = |task: &Submitted, record: DedupRecord| {
        let mut unit = task.unit();
        unit.push(Change::InsertDedupKey(Box::new(record)));
        unit
    };
    let tasks: Vec<Submitted> = (0..8).map(|second| sample.queued(Priority::Standard, second)).collect();
    let units = tasks.iter().map(|task| with_key(task, holds(&sample, "order-7", task, None, None)));
    let results = join_all(units.map(|unit| harness.store.commit(unit))).await;
    let refused = |result: &Result<(), StoreError>| matches!(result, Err(StoreError::Duplicate(key)) if key == DEDUP_KEY);
    assert!(results.iter().all(|result| result.is_ok() || refused(result)), "{results:?}");
    let winners: Vec<_> = tasks.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(task, _)| task).collect();
    let [first] = winners.as_slice() else { return assert_eq!(winners.len(), 1) };
    assert_eq!(must(harness.queue.depth().await), 1, "the tasks of the others are not there");
    let holder = async |key| must(harness.queries.dedup_key(tenant, key).await).map(|held| (held.task_id, held.expires_at));
    assert_eq!(holder("order-7").await, Some((first.task.id, None)));
    assert_eq!(holder("order-8").await, None);
    assert_eq!(must(harness.queries.dedup_key(&stranger(), "order-7").await), None);

    // Only the holder that was seen is replaced.
    let next = sample.queued(Priority::Standard, 20);
    let unseen = Some(TaskId::new(sample.id()));
    let result = harness.store.commit(with_key(&next, holds(&sample, "order-7", &next, None, unseen))).await;
    assert!(refused(&result), "{result:?}");
    let seen = Some(first.task.id);
    must(harness.store.commit(with_key(&next, holds(&sample, "order-7", &next, Some(at(90)), seen))).await);
    assert_eq!(holder("order-7").await, Some((next.task.id, Some(at(90)))));
    let late = sample.queued(Priority::Standard, 21);
    let result = harness.store.commit(with_key(&late, holds(&sample, "order-7", &late, None, seen))).await;
    assert!(refused(&result), "it was replaced already: {result:?}");
    let other = sample.queued(Priority::Standard, 22);
    must(harness.store.commit(with_key(&other, holds(&sample, "order-8", &other, None, None))).await);
    let foreign =
        harness.commit(&stranger(), [Change::InsertDedupKey(Box::new(holds(&sample, "new", &other, None, None)))]).await;
    assert!(foreign.is_err());
    assert_eq!(holder("new").await, None);
}

pub(super) async fn tasks_of_a_key_are_found_until_they_end(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let mut tasks = Vec::new();
    for (second, key) in [(3, Some("chat")), (1, Some("chat")), (2, Some("mail")), (0, None)] {
        let mut task = sample.queued(Priority::Standard, second);
        task.run.concurrency_key = key.map(ToOwned::to_owned);
        must(harness.store.commit(task.unit()).await);
        tasks.push(task);
    }
    let found = async |key| -> Vec<TaskId> {
        must(harness.queries.tasks_with_key(tenant, key).await).iter().map(|view| view.task.id).collect()
    };
    let [one, two, mail, _] = tasks.as_slice() else { return };
    assert_eq!(found("chat").await, [one.task.id, two.task.id], "the oldest first, by id");
    assert_eq!(found("mail").await, [mail.task.id]);
    assert!(found("none").await.is_empty());
    assert!(must(harness.queries.tasks_with_key(&stranger(), "chat").await).is_empty());
    let mut running = one.run.clone();
    assert!(running.claim(sample.worker(), at(3_600), at(1)).is_ok());
    must(harness.commit(tenant, [update(&running, one.run.version)]).await);
    assert_eq!(found("chat").await, [one.task.id, two.task.id]);
    let failed = fail(harness, &running, FailureClass::Timeout).await;
    assert_eq!(found("chat").await, [two.task.id]);
    let again = Run { concurrency_key: Some("chat".to_owned()), ..second_run(&sample, &failed) };
    must(harness.commit(tenant, follow(&again, failed.id)).await);
    assert_eq!(found("chat").await, [one.task.id, two.task.id], "its new run has the key");
}

pub(super) async fn dead_letters_are_listed(harness: &Harness) {
    let sample = Sample::default();
    let tenant = sample.tenant();
    let mut failed = Vec::new();
    for class in [FailureClass::ToolError, FailureClass::UserError, FailureClass::ToolError, FailureClass::CrashLoop] {
        sample.submit(harness, Priority::Standard, 0).await;
        for claimed in must(harness.queue.claim(sample.worker(), 1, LEASE).await) {
            failed.push(fail(harness, &claimed.run, class).await);
        }
    }
    sample.submit(harness, Priority::Standard, 0).await;
    let list = async |filter: TaskFilter| -> Vec<TaskId> {
        must(harness.queries.tasks(tenant, &filter, None, 9).await).items.iter().map(|view| view.task.id).collect()
    };
    let dead = |state| TaskFilter { dead_letter: Some(state), ..TaskFilter::default() };
    let class = |class| TaskFilter { failure_class: Some(class), ..TaskFilter::default() };
    let [one, user, two, crash] = failed.as_slice() else { return assert_eq!(failed.len(), 4) };
    assert_eq!(list(dead(DeadLetter::Open)).await, [crash.task_id, two.task_id, one.task_id]);
    assert_eq!(list(class(FailureClass::ToolError)).await, [two.task_id, one.task_id]);
    assert_eq!(list(class(FailureClass::UserError)).await, [user.task_id]);
    let both = TaskFilter { failure_class: Some(FailureClass::CrashLoop), ..dead(DeadLetter::Open) };
    assert_eq!(list(both).await, [crash.task_id]);
    let running = TaskFilter { statuses: vec![crewd_domain::runs::RunStatus::Running], ..dead(DeadLetter::Open) };
    assert!(list(running).await.is_empty());

    let mut discarded = crash.clone();
    assert!(discarded.file_dead_letter(DeadLetter::Discarded).is_ok());
    must(harness.commit(tenant, [update(&discarded, crash.version)]).await);
    assert_eq!(list(dead(DeadLetter::Open)).await, [two.task_id, one.task_id]);
    assert_eq!(list(dead(DeadLetter::Discarded)).await, [crash.task_id]);
    let next = second_run(&sample, two);
    must(harness.commit(tenant, follow(&next, two.id).into_iter().chain([event(&next, EventKind::Log, 2)])).await);
    assert_eq!(list(dead(DeadLetter::Open)).await, [one.task_id], "its current run has not failed");
    assert_eq!(list(class(FailureClass::ToolError)).await, [one.task_id]);
}
