use crewd_domain::runs::{CancelMode, RunStatus, WaitReason};

use super::desk::{Desk, ada, stranger};
use super::steps::turn;
use crate::error::ErrorCode;
use crate::ports::{ControlRequest, RunQueries, RunQueue};

fn requests(orders: &[crate::ports::ControlItem]) -> Vec<&'static str> {
    let name = |request: &ControlRequest| match request {
        ControlRequest::Pause { .. } => "pause",
        ControlRequest::Resume { .. } => "resume",
        _ => "other",
    };
    orders.iter().map(|order| name(&order.request)).collect()
}

async fn orders(desk: &Desk) -> Vec<&'static str> {
    let view = desk.tasks.list(&ada(), &Default::default(), None, 1).await.unwrap().items.remove(0);
    requests(&desk.store.orders(&view.task.tenant_id, view.run.id).await.unwrap())
}

#[tokio::test]
async fn a_pause_is_asked_for_once_and_can_be_taken_back() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    for _ in 0..2 {
        let answer = desk.tasks.pause(&ada(), id, Some("lunch".into())).await.unwrap();
        assert_eq!((answer.was_paused, answer.view.run.status), (false, RunStatus::Queued));
    }
    assert_eq!(orders(&desk).await, ["pause"]);
    desk.tasks.resume(&ada(), id, None).await.unwrap();
    assert_eq!(orders(&desk).await, ["pause", "resume"], "whoever takes the run hears both");
    let error = desk.tasks.resume(&ada(), id, None).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::InvalidState, Some("not_paused")));
    desk.tasks.pause(&ada(), id, None).await.unwrap();
    assert_eq!(orders(&desk).await, ["pause", "resume", "pause"]);
    let error = desk.tasks.resume(&ada(), id, Some(turn(0))).await.unwrap_err();
    assert_eq!(error.reason, Some("not_paused"), "a place to stop at can be set only where it is parked");
}

#[tokio::test]
async fn a_worker_of_this_process_hears_at_once() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.tasks.pause(&ada(), id, None).await.unwrap();
    let worker = claimed.run.lease.unwrap().worker;
    assert_eq!(requests(&desk.store.controls(worker).await.unwrap()), ["pause"]);
    assert_eq!(desk.orders.given().len(), 1);
}

#[tokio::test]
async fn a_paused_task_goes_on_and_may_stop_again() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.park(claimed, WaitReason::Operator, None).await;
    let answer = desk.tasks.pause(&ada(), id, None).await.unwrap();
    assert!(answer.was_paused && orders(&desk).await.is_empty());
    let woken = desk.signal.count();
    let view = desk.tasks.resume(&ada(), id, Some(turn(1))).await.unwrap();
    assert_eq!((view.run.status, view.run.stop_after), (RunStatus::Queued, Some(turn(1))));
    assert_eq!((view.run.woken_from, view.run.waiting_for), (Some(WaitReason::Operator), None));
    assert_eq!(desk.signal.count(), woken + 1);
    assert_eq!(desk.kinds(id).await, ["task.queued", "task.waiting"], "the next worker tells of it");
    let claimed = desk.claim().await;
    desk.park(claimed, WaitReason::Operator, None).await;
    let view = desk.tasks.resume(&ada(), id, None).await.unwrap();
    assert_eq!(view.run.stop_after, None);
}

#[tokio::test]
async fn a_pause_that_came_too_late_does_not_hold_after_going_on() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.tasks.pause(&ada(), id, None).await.unwrap();
    desk.park(claimed, WaitReason::Operator, None).await;
    desk.tasks.resume(&ada(), id, None).await.unwrap();
    assert!(desk.claim().await.controls.is_empty());
}

#[tokio::test]
async fn an_ended_task_cannot_be_paused_and_strangers_see_none() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    assert_eq!(desk.tasks.pause(&stranger(), id, None).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(desk.tasks.resume(&stranger(), id, None).await.unwrap_err().code, ErrorCode::NotFound);
    desk.tasks.cancel(&ada(), id, CancelMode::Graceful, None).await.unwrap();
    let error = desk.tasks.pause(&ada(), id, None).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::InvalidState, Some("not_pausable")));
    assert_eq!(desk.tasks.resume(&ada(), id, None).await.unwrap_err().code, ErrorCode::InvalidState);
}

#[tokio::test]
async fn of_two_who_let_it_go_on_one_does() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.park(claimed, WaitReason::Operator, None).await;
    let tasks = desk.tasks.clone();
    desk.rival.let_act_first(async move { drop(tasks.resume(&ada(), id, None).await.unwrap()) });
    let error = desk.tasks.resume(&ada(), id, None).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::InvalidState, Some("not_paused")));
}
