//! Too much is kept out.

use std::time::Duration;

use super::desk::{Desk, ada, poem, stranger};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode};
use crate::ports::{RunQueries, StoreError};
use crate::runs::{AdmissionLimits, IdempotencyKey, RetryFrom};

fn limits() -> AdmissionLimits {
    AdmissionLimits { queued_per_tenant: 2, queued: 9, in_flight: 8 }
}

async fn submit(desk: &Desk, who: &RequestContext) -> Result<(), Error> {
    desk.tasks.submit(who, poem("tea"), None).await.map(drop)
}

fn told(error: &Error) -> (ErrorCode, Option<&'static str>, bool) {
    (error.code, error.reason, error.facts.as_ref().is_some_and(|facts| facts.retry_after.is_some()))
}

const QUEUE_FULL: (ErrorCode, Option<&str>, bool) = (ErrorCode::QuotaExceeded, Some("queue_full"), true);
const OVERLOADED: (ErrorCode, Option<&str>, bool) = (ErrorCode::Unavailable, Some("overloaded"), true);

#[tokio::test]
async fn a_tenant_has_so_many_tasks_in_the_queue() {
    let desk = Desk::limited(limits());
    for _ in 0..2 {
        submit(&desk, &ada()).await.unwrap();
    }
    assert_eq!(told(&submit(&desk, &ada()).await.unwrap_err()), QUEUE_FULL);
    submit(&desk, &stranger()).await.unwrap();
    let page = desk.store.tasks(&ada().tenant, &Default::default(), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 2, "a refused task leaves nothing");
    desk.claim().await;
    assert_eq!(told(&submit(&desk, &ada()).await.unwrap_err()), QUEUE_FULL, "the count is half a second old");
    desk.clock.advance(Duration::from_millis(500));
    submit(&desk, &ada()).await.unwrap();
}

#[tokio::test]
async fn an_installation_has_so_many_tasks_in_the_queue() {
    let desk = Desk::limited(AdmissionLimits { queued_per_tenant: 9, queued: 3, ..limits() });
    for _ in 0..3 {
        submit(&desk, &ada()).await.unwrap();
    }
    assert_eq!(told(&submit(&desk, &stranger()).await.unwrap_err()), OVERLOADED);
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(told(&submit(&desk, &stranger()).await.unwrap_err()), OVERLOADED);
    desk.claim().await;
    desk.clock.advance(Duration::from_secs(1));
    submit(&desk, &stranger()).await.unwrap();
}

#[tokio::test]
async fn the_same_request_again_needs_no_place() {
    let desk = Desk::limited(limits());
    let key = || Some(IdempotencyKey { key: "key-1".into(), fingerprint: "body".into() });
    desk.tasks.submit(&ada(), poem("tea"), key()).await.unwrap();
    submit(&desk, &ada()).await.unwrap();
    assert!(desk.tasks.submit(&ada(), poem("tea"), key()).await.unwrap().replayed);
}

#[tokio::test]
async fn a_process_works_on_so_many_submissions_at_once() {
    let desk = Desk::limited(AdmissionLimits { in_flight: 1, ..AdmissionLimits::default() });
    let tasks = desk.tasks.clone();
    let (tell, told_error) = tokio::sync::oneshot::channel();
    desk.rival.let_act_first(async move {
        let refused = tasks.submit(&ada(), poem("rice"), None).await.unwrap_err();
        tell.send(refused).unwrap();
    });
    submit(&desk, &ada()).await.unwrap();
    assert_eq!(told(&told_error.await.unwrap()), OVERLOADED);
    submit(&desk, &ada()).await.unwrap();
    desk.store.fail_next_commit(StoreError::Unavailable("gone".into()));
    submit(&desk, &ada()).await.unwrap_err();
    submit(&desk, &ada()).await.unwrap();
}

#[tokio::test]
async fn further_runs_need_a_place_in_the_queue_as_well() {
    let desk = Desk::limited(limits());
    submit(&desk, &ada()).await.unwrap();
    let claimed = desk.claim().await;
    let id = claimed.task.id;
    desk.fail(claimed, crewd_domain::runs::FailureClass::ToolError).await;
    desk.clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        submit(&desk, &ada()).await.unwrap();
    }
    let error = desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap_err();
    assert_eq!(told(&error), QUEUE_FULL);
}

#[tokio::test(start_paused = true)]
async fn a_queued_task_has_a_place() {
    let desk = Desk::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(desk.submit().await.task.id);
    }
    let mut places = Vec::new();
    for id in &ids {
        places.push(desk.tasks.queue_position(&ada(), &desk.view(*id).await).await.unwrap());
    }
    assert_eq!(places, [Some(1), Some(2), Some(3)]);
    desk.claim().await;
    assert_eq!(desk.tasks.queue_position(&ada(), &desk.view(ids[0]).await).await.unwrap(), None);
    tokio::time::advance(std::time::Duration::from_millis(250)).await;
    assert_eq!(desk.tasks.queue_position(&ada(), &desk.view(ids[2]).await).await.unwrap(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn places_in_a_long_line_are_counted_one_by_one() {
    let desk = Desk::new();
    let mut last = desk.submit().await.task.id;
    for _ in 0..1_000 {
        last = desk.submit().await.task.id;
    }
    assert_eq!(desk.tasks.queue_position(&ada(), &desk.view(last).await).await.unwrap(), Some(1_001));
    let newer = desk.submit().await.task.id;
    assert_eq!(desk.tasks.queue_position(&ada(), &desk.view(newer).await).await.unwrap(), Some(1_002));
    desk.claim().await;
    assert_eq!(desk.tasks.queue_position(&ada(), &desk.view(last).await).await.unwrap(), Some(1_001), "told a moment ago");
    tokio::time::advance(std::time::Duration::from_millis(250)).await;
    assert_eq!(desk.tasks.queue_position(&ada(), &desk.view(last).await).await.unwrap(), Some(1_000));
}
