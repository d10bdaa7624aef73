//! What a submission may ask for: a time, a stop, a business key.

use std::time::Duration;

use chrono::TimeDelta;
use crewd_domain::runs::{RunStatus, StepPath, TaskOptions};
use serde_json::json;

use super::desk::{Desk, ada, poem, stranger};
use crate::error::{Error, ErrorCode};
use crate::ports::{Clock, EventQuery, RunQueries};
use crate::runs::{DedupConflict, DedupRule, IdempotencyKey, Instead, SubmitTask};

fn with(options: TaskOptions) -> SubmitTask {
    SubmitTask { options, ..poem("tea") }
}

fn keyed(key: &str, rule: DedupRule) -> SubmitTask {
    SubmitTask { dedup: rule, ..with(TaskOptions { dedup_key: Some(key.to_owned()), ..TaskOptions::default() }) }
}

async fn refused(desk: &Desk, task: SubmitTask) -> Error {
    desk.tasks.submit(&ada(), task, None).await.unwrap_err()
}

#[tokio::test]
async fn a_task_for_later_is_scheduled_and_queued_when_its_time_has_come() {
    let desk = Desk::new();
    let not_before = desk.clock.now() + TimeDelta::hours(1);
    let options = TaskOptions { not_before: Some(not_before), queue_timeout_seconds: Some(60), ..TaskOptions::default() };
    let submitted = desk.tasks.submit(&ada(), with(options), None).await.unwrap();
    let id = submitted.view.task.id;
    assert_eq!(submitted.view, desk.view(id).await);
    assert_eq!((submitted.view.run.status, submitted.view.run.wake_at), (RunStatus::Scheduled, Some(not_before)));
    let log = desk.log(id).await;
    assert_eq!((log.len(), log[0].seq, log[0].kind.as_str()), (1, 1, "task.queued"));
    assert!(serde_json::to_string(&log[0]).unwrap().contains(r#""not_before":""#));
    assert_eq!(desk.waker.tick().await.unwrap(), 0);
    desk.clock.advance(Duration::from_secs(3_600));
    assert_eq!(desk.waker.tick().await.unwrap(), 1);
    let due = desk.view(id).await.run;
    assert_eq!((due.status, due.wake_at), (RunStatus::Queued, Some(not_before + TimeDelta::seconds(60))));
    assert_eq!(desk.kinds(id).await, ["task.queued", "task.queued"]);
}

#[tokio::test]
async fn a_time_that_is_over_means_at_once() {
    let desk = Desk::new();
    for seconds in [-3_600, 0] {
        let not_before = Some(desk.clock.now() + TimeDelta::seconds(seconds));
        let view =
            desk.tasks.submit(&ada(), with(TaskOptions { not_before, ..TaskOptions::default() }), None).await.unwrap().view;
        assert_eq!((view.run.status, view.run.wake_at), (RunStatus::Queued, None));
    }
}

#[tokio::test]
async fn who_waits_too_long_for_a_worker_fails() {
    let desk = Desk::new();
    let options = TaskOptions { queue_timeout_seconds: Some(5), ..TaskOptions::default() };
    let id = desk.tasks.submit(&ada(), with(options), None).await.unwrap().view.task.id;
    desk.clock.advance(Duration::from_secs(5));
    assert_eq!(desk.waker.tick().await.unwrap(), 1);
    let run = desk.view(id).await.run;
    let error = run.error.unwrap();
    assert_eq!(
        (run.status, error.code.as_str(), &error.details["reason"]),
        (RunStatus::Failed, "timeout", &json!("queue_timeout"))
    );
}

#[tokio::test]
async fn a_stop_is_kept_with_the_run_and_must_be_a_step_of_the_crew() {
    let desk = Desk::new();
    let stop_after = StepPath::parse("crew_task[0].agent.turn[3]");
    let task = SubmitTask { stop_after: stop_after.clone(), ..poem("tea") };
    let view = desk.tasks.submit(&ada(), task, None).await.unwrap().view;
    assert_eq!(desk.view(view.task.id).await.run.stop_after, stop_after);
    let task = SubmitTask { stop_after: StepPath::parse("crew_task[1]"), ..poem("tea") };
    let error = refused(&desk, task).await;
    assert_eq!((error.code, error.fields[0].pointer.as_str()), (ErrorCode::ValidationFailed, "/stop_after"));
}

#[tokio::test]
async fn wishes_out_of_range_are_all_named() {
    let desk = Desk::new();
    let options = TaskOptions {
        not_before: Some(desk.clock.now() + TimeDelta::days(367)),
        queue_timeout_seconds: Some(0),
        step_timeout_seconds: Some(604_801),
        dedup_key: Some("a\u{1}".to_owned()),
        concurrency: Some(crewd_domain::runs::Concurrency { key: String::new(), mode: Default::default() }),
        ..TaskOptions::default()
    };
    let rule = DedupRule { ttl_seconds: Some(0), ..DedupRule::default() };
    let error = refused(&desk, SubmitTask { dedup: rule, ..with(options) }).await;
    let pointers: Vec<_> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
    let expected = [
        "/queue_timeout_seconds",
        "/step_timeout_seconds",
        "/dedup/ttl_seconds",
        "/not_before",
        "/dedup_key",
        "/concurrency/key",
    ];
    assert_eq!(pointers, expected);
}

#[tokio::test]
async fn a_business_key_is_held_until_its_task_has_ended() {
    let desk = Desk::new();
    let first = desk.tasks.submit(&ada(), keyed("order-7", DedupRule::default()), None).await.unwrap();
    let second = desk.tasks.submit(&ada(), keyed("order-7", DedupRule::default()), None).await.unwrap();
    assert_eq!((second.view.task.id, second.instead), (first.view.task.id, Some(Instead::Duplicate)));
    let rule = DedupRule { on_conflict: DedupConflict::Reject, ..DedupRule::default() };
    let error = refused(&desk, keyed("order-7", rule)).await;
    assert_eq!(
        (error.code, error.reason, error.facts.unwrap().task_id),
        (ErrorCode::Conflict, Some("duplicate"), Some(first.view.task.id))
    );
    let other = desk.tasks.submit(&stranger(), keyed("order-7", rule), None).await.unwrap();
    assert_eq!(other.instead, None, "a key belongs to its tenant");
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    let third = desk.tasks.submit(&ada(), keyed("order-7", rule), None).await.unwrap();
    assert!(third.instead.is_none() && third.view.task.id != first.view.task.id);
    let fourth = desk.tasks.submit(&ada(), keyed("order-7", DedupRule::default()), None).await.unwrap();
    assert_eq!(fourth.view.task.id, third.view.task.id, "the holder has changed");
}

#[tokio::test]
async fn a_business_key_with_a_time_is_held_for_so_long_whatever_becomes_of_the_task() {
    let desk = Desk::new();
    let rule = DedupRule { ttl_seconds: Some(60), ..DedupRule::default() };
    let first = desk.tasks.submit(&ada(), keyed("order-7", rule), None).await.unwrap();
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    desk.clock.advance(Duration::from_secs(59));
    let second = desk.tasks.submit(&ada(), keyed("order-7", rule), None).await.unwrap();
    assert_eq!((second.view.task.id, second.view.run.status), (first.view.task.id, RunStatus::Succeeded));
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.tasks.submit(&ada(), keyed("order-7", rule), None).await.unwrap().instead, None);
}

#[tokio::test]
async fn of_two_with_one_business_key_at_the_same_moment_one_is_made() {
    for on_conflict in [DedupConflict::ReturnExisting, DedupConflict::Reject] {
        let desk = Desk::new();
        let rule = DedupRule { on_conflict, ..DedupRule::default() };
        let tasks = desk.tasks.clone();
        desk.rival.let_act_first(async move {
            tasks.submit(&ada(), keyed("order-7", rule), None).await.unwrap();
        });
        let answer = desk.tasks.submit(&ada(), keyed("order-7", rule), None).await;
        match on_conflict {
            DedupConflict::ReturnExisting => assert_eq!(answer.unwrap().instead, Some(Instead::Duplicate)),
            DedupConflict::Reject => assert_eq!(answer.unwrap_err().reason, Some("duplicate")),
        }
        let page = desk.store.tasks(&ada().tenant, &Default::default(), None, 10).await.unwrap();
        assert_eq!(page.items.len(), 1);
    }
}

#[tokio::test]
async fn an_answer_with_another_task_is_remembered_too() {
    let desk = Desk::new();
    let first = desk.tasks.submit(&ada(), keyed("order-7", DedupRule::default()), None).await.unwrap();
    let key = || Some(IdempotencyKey { key: "key-1".into(), fingerprint: "body".into() });
    desk.clock.advance(Duration::from_secs(1));
    desk.tasks.submit(&ada(), keyed("order-7", DedupRule::default()), key()).await.unwrap();
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    let again = desk.tasks.submit(&ada(), keyed("order-7", DedupRule::default()), key()).await.unwrap();
    assert_eq!((again.replayed, again.view.task.id), (true, first.view.task.id));
    assert_eq!(again.view.run.status, RunStatus::Succeeded, "an older task is shown as it is");
}

#[tokio::test]
async fn changes_that_go_along_are_stored_with_a_new_task_alone() {
    let desk = Desk::new();
    let along = |id| {
        let record = crate::ports::DedupRecord {
            tenant_id: ada().tenant,
            key: "along".to_owned(),
            task_id: id,
            expires_at: None,
            replaces: None,
        };
        Ok(vec![crate::ports::Change::InsertDedupKey(Box::new(record))])
    };
    let made = desk.tasks.submit_along(&ada(), keyed("order-7", DedupRule::default()), None, along).await.unwrap();
    let record = desk.store.dedup_key(&ada().tenant, "along").await.unwrap().unwrap();
    assert_eq!(record.task_id, made.view.task.id);
    desk.tasks.submit_along(&ada(), keyed("order-7", DedupRule::default()), None, along).await.unwrap();
    let query = EventQuery { task_id: made.view.task.id, after: 0, kinds: Vec::new(), limit: 10 };
    assert_eq!(desk.store.events(&ada().tenant, &query).await.unwrap().len(), 1);
    let refusal = |_| Err(Error::validation(vec![crate::error::FieldProblem::new("/webhook/url", "no")]));
    let error = desk.tasks.submit_along(&ada(), poem("rice"), None, refusal).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ValidationFailed);
}
