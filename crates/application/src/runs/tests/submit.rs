use std::time::Duration;

use crewd_domain::runs::{Budget, RunStatus};
use crewd_domain::shared::TenantId;
use serde_json::json;

use super::desk::{Desk, ada, inputs, poem, poets, stranger};
use crate::error::{Error, ErrorCode};
use crate::ports::{RunQueries, StoreError};
use crate::runs::{IdempotencyKey, SubmitTask};

fn key(fingerprint: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey { key: "key-1".into(), fingerprint: fingerprint.into() })
}

async fn refused(desk: &Desk, task: SubmitTask) -> Error {
    let error = desk.tasks.submit(&ada(), task, None).await.unwrap_err();
    let page = desk.store.tasks(&TenantId::default_tenant(), &Default::default(), None, 10).await.unwrap();
    assert!(page.items.is_empty(), "a refused task leaves nothing");
    error
}

fn pointers(error: &Error) -> Vec<&str> {
    assert_eq!(error.code, ErrorCode::ValidationFailed);
    error.fields.iter().map(|field| field.pointer.as_str()).collect()
}

#[tokio::test]
async fn an_accepted_task_is_in_the_queue_and_wakes_a_worker() {
    let desk = Desk::new();
    let metadata = inputs(json!({"team": "a", "size": 3, "paid": true}));
    let task = SubmitTask { metadata: metadata.clone(), deadline_seconds: Some(60), ..poem("tea") };
    let context = crate::context::RequestContext { traceparent: Some("00-1-2-01".into()), ..ada() };
    let submitted = desk.tasks.submit(&context, task, None).await.unwrap();
    assert!(!submitted.replayed);
    let view = desk.view(submitted.view.task.id).await;
    assert_eq!(view, submitted.view);
    assert_eq!((view.run.status, view.run.attempt, view.task.current_run), (RunStatus::Queued, 1, view.run.id));
    assert_eq!((view.task.request_id.as_str(), view.task.traceparent.as_deref()), ("request-1", Some("00-1-2-01")));
    assert_eq!((view.task.metadata.clone(), view.task.deadline_seconds), (metadata, Some(60)));
    let log = desk.log(view.task.id).await;
    assert_eq!((log.len(), log[0].seq, log[0].kind.as_str()), (1, 1, "task.queued"));
    assert_eq!((desk.signal.count(), desk.stream.published().len()), (1, 1));
    let version = desk.catalog.put(poets()).version;
    assert_eq!(view.task.definition_version, *version);
    let pinned = desk.store.crew(&TenantId::default_tenant(), "poets", &version).await.unwrap().unwrap();
    assert!(!pinned.from_api);
}

#[tokio::test]
async fn a_changed_crew_does_not_touch_accepted_tasks() {
    let desk = Desk::new();
    let first = desk.submit().await;
    let mut changed = poets();
    changed.tasks[0].expected_output = "More lines".into();
    desk.catalog.put(changed);
    let second = desk.submit().await;
    assert_ne!(first.task.definition_version, second.task.definition_version);
    let claimed = desk.claim().await;
    assert_eq!(claimed.task.id, first.task.id);
    assert!(!claimed.definition.unwrap().contains("More lines"));
    let again = SubmitTask { version: Some(first.task.definition_version.clone()), ..poem("tea") };
    let third = desk.tasks.submit(&ada(), again, None).await.unwrap().view;
    assert_eq!(third.task.definition_version, first.task.definition_version, "an older version can be named");
}

#[tokio::test]
async fn all_missing_inputs_are_named_at_once() {
    let error = refused(&Desk::new(), SubmitTask { crew: "poets".into(), ..SubmitTask::default() }).await;
    assert_eq!(pointers(&error), ["/inputs/land", "/inputs/topic"]);
    assert!(error.fields[0].message.contains("is required"));
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    let long = "x".repeat(501);
    let metadata = json!({"": 1, "deep": {"a": 1}, "list": [], "none": null, "long": long, "bad\nkey": "x", "a/b~c": []});
    let task = SubmitTask {
        deadline_seconds: Some(0),
        budget: Budget { max_tokens: Some(0) },
        metadata: inputs(metadata),
        ..poem("../tea")
    };
    let error = refused(&Desk::new(), task).await;
    let mut found = pointers(&error);
    found.sort_unstable();
    let expected = [
        "/budget/max_tokens",
        "/deadline_seconds",
        "/inputs/topic",
        "/metadata/",
        "/metadata/a~1b~0c",
        "/metadata/bad\nkey",
        "/metadata/deep",
        "/metadata/list",
        "/metadata/long",
        "/metadata/none",
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn too_much_is_refused() {
    let desk = Desk::new();
    let error = refused(&desk, poem(&"x".repeat(256 * 1024))).await;
    assert!(pointers(&error).contains(&"/inputs"));
    let many = (0..51).map(|index| (format!("k{index}"), json!(1))).collect();
    assert_eq!(pointers(&refused(&desk, SubmitTask { metadata: many, ..poem("tea") }).await), ["/metadata"]);
    let week = 7 * 24 * 3600 + 1;
    assert_eq!(
        pointers(&refused(&desk, SubmitTask { deadline_seconds: Some(week), ..poem("tea") }).await),
        ["/deadline_seconds"]
    );
}

#[tokio::test]
async fn an_unknown_crew_or_version_is_not_found() {
    let desk = Desk::new();
    for task in [
        SubmitTask { crew: "painters".into(), ..SubmitTask::default() },
        SubmitTask { version: Some("sha256:0".into()), ..poem("tea") },
    ] {
        assert_eq!(refused(&desk, task).await.code, ErrorCode::NotFound);
    }
}

#[tokio::test]
async fn the_same_key_and_body_is_the_same_task() {
    let desk = Desk::new();
    let first = desk.tasks.submit(&ada(), poem("tea"), key("body")).await.unwrap();
    // It goes on meanwhile; the answer stays the first one.
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    let again = desk.tasks.submit(&ada(), poem("tea"), key("body")).await.unwrap();
    assert_eq!((again.replayed, &again.view), (true, &first.view));
    assert_eq!(desk.log(first.view.task.id).await.len(), 2, "nothing was submitted again");
    let other_body = desk.tasks.submit(&ada(), poem("rice"), key("other")).await.unwrap_err();
    assert_eq!(other_body.code, ErrorCode::IdempotencyKeyReused);
    desk.clock.advance(Duration::from_secs(24 * 3600));
    let later = desk.tasks.submit(&ada(), poem("rice"), key("other")).await.unwrap();
    assert!(!later.replayed, "a day later the key is free");
}

#[tokio::test]
async fn a_key_belongs_to_its_tenant() {
    let desk = Desk::new();
    let first = desk.tasks.submit(&ada(), poem("tea"), key("body")).await.unwrap();
    let other = desk.tasks.submit(&stranger(), poem("tea"), key("other")).await.unwrap();
    assert!(!other.replayed);
    assert_ne!(first.view.task.id, other.view.task.id);
    let unseen = desk.tasks.get(&stranger(), first.view.task.id).await.unwrap_err();
    assert_eq!(unseen.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn of_two_requests_with_one_key_at_the_same_moment_one_creates_and_both_get_it() {
    for (fingerprint, expected) in [("body", None), ("other", Some(ErrorCode::IdempotencyKeyReused))] {
        let desk = Desk::new();
        let tasks = desk.tasks.clone();
        desk.rival.let_act_first(async move {
            tasks.submit(&ada(), poem("tea"), key("body")).await.unwrap();
        });
        let answer = desk.tasks.submit(&ada(), poem("tea"), key(fingerprint)).await;
        match expected {
            None => assert!(answer.unwrap().replayed),
            Some(code) => assert_eq!(answer.unwrap_err().code, code),
        }
        let page = desk.store.tasks(&TenantId::default_tenant(), &Default::default(), None, 10).await.unwrap();
        assert_eq!(page.items.len(), 1);
    }
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_told_and_nothing_is_remembered() {
    let desk = Desk::new();
    desk.store.fail_next_commit(StoreError::Unavailable("gone".into()));
    let error = desk.tasks.submit(&ada(), poem("tea"), key("body")).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::Unavailable, Some("database_unavailable")));
    assert_eq!((desk.signal.count(), desk.stream.published().len()), (0, 0));
    let again = desk.tasks.submit(&ada(), poem("tea"), key("body")).await.unwrap();
    assert!(!again.replayed);
    assert!(desk.claim().await.definition.is_some(), "the definition is pinned although the first try failed");
}
