use crewd_domain::runs::{CancelMode, RunStatus};

use super::desk::{Desk, ada, stranger};
use crate::attempts;
use crate::error::ErrorCode;
use crate::ports::{ControlRequest, RunQueue, StoreError};

#[tokio::test]
async fn a_queued_task_is_cancelled_at_once_and_for_good() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let answer = desk.tasks.cancel(&ada(), id, CancelMode::Graceful, Some("enough".into())).await.unwrap();
    assert_eq!((answer.was_terminal, answer.view.run.status), (false, RunStatus::Cancelled));
    let cancel = answer.view.run.cancel.clone().unwrap();
    assert_eq!((cancel.actor.as_str(), cancel.reason.as_deref()), ("ada", Some("enough")));
    assert_eq!(desk.kinds(id).await, ["task.queued", "task.cancelled"]);
    assert_eq!(desk.stream.published().len(), 2, "whoever follows the task hears of it");
    let again = desk.tasks.cancel(&ada(), id, CancelMode::Immediate, Some("more".into())).await.unwrap();
    assert_eq!((again.was_terminal, again.view), (true, answer.view));
    assert_eq!(desk.store.depth().await.unwrap(), 0);
}

#[tokio::test]
async fn a_running_task_is_cancelled_by_its_worker() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    let answer = desk.tasks.cancel(&ada(), id, CancelMode::Immediate, None).await.unwrap();
    assert_eq!((answer.was_terminal, answer.view.run.status), (false, RunStatus::Running));
    let worker = claimed.run.lease.unwrap().worker;
    let waiting = desk.store.controls(worker).await.unwrap();
    let ControlRequest::Cancel(request) = &waiting[0].request else { panic!("no cancel: {waiting:?}") };
    assert_eq!((waiting.len(), request.mode, waiting[0].run_id), (1, CancelMode::Immediate, claimed.run.id));
    assert_eq!(desk.orders.given(), [(claimed.run.id, waiting[0].request.clone())], "a worker of this process hears it at once");
}

#[tokio::test]
async fn a_terminal_task_stays_what_it_is() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    let before = desk.view(id).await;
    let answer = desk.tasks.cancel(&ada(), id, CancelMode::Immediate, None).await.unwrap();
    assert_eq!((answer.was_terminal, answer.view), (true, before));
    assert_eq!(desk.kinds(id).await, ["task.queued", "task.succeeded"]);
}

#[tokio::test]
async fn a_cancel_that_meets_a_claim_looks_again() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let store = desk.store.clone();
    let worker = crewd_domain::shared::WorkerId::new(uuid::Uuid::nil());
    desk.rival.let_act_first(async move {
        store.claim(worker, 1, super::desk::LEASE).await.unwrap();
    });
    let answer = desk.tasks.cancel(&ada(), id, CancelMode::Graceful, None).await.unwrap();
    assert_eq!(answer.view.run.status, RunStatus::Running);
    assert_eq!(desk.store.controls(worker).await.unwrap().len(), 1, "the worker that was faster gets the order");
    assert_eq!(desk.kinds(id).await, ["task.queued"]);
}

#[tokio::test]
async fn an_order_for_a_run_that_changes_hands_is_heard_by_the_next_holder() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    desk.tasks.cancel(&ada(), id, CancelMode::Graceful, None).await.unwrap();
    desk.presence.kill(claimed.run.lease.unwrap().worker);
    desk.recovery.sweep().await.unwrap();
    claimed = desk.claim().await;
    let waiting = desk.store.controls(claimed.run.lease.unwrap().worker).await.unwrap();
    assert_eq!((waiting.len(), claimed.controls.len()), (1, 1));
}

#[tokio::test]
async fn a_task_of_somebody_else_is_not_found() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let error = desk.tasks.cancel(&stranger(), id, CancelMode::Graceful, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(desk.view(id).await.run.status, RunStatus::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_changes_all_the_time_is_a_conflict() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    for _ in 0..attempts::MOST {
        desk.store.fail_next_commit(StoreError::Conflict);
    }
    let error = desk.tasks.cancel(&ada(), id, CancelMode::Graceful, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Conflict);
    desk.store.fail_next_commit(StoreError::Conflict);
    assert!(desk.tasks.cancel(&ada(), id, CancelMode::Graceful, None).await.is_ok());
}
