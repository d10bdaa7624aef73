use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus, Decision, DecisionRequest, OnExpire};
use crewd_domain::runs::{CancelMode, DeadLetter, Run, RunStatus, Task, TaskOptions, WaitReason};
use crewd_domain::shared::{ApprovalId, TaskId};
use crewd_domain::tools::RiskLevel;
use serde_json::{Value, json};

use super::desk::{Desk, ada};
use super::steps::{asked, turn};
use crate::ports::{
    ApprovalQueries, ApprovalUpdate, Change, ClaimedRun, Clock, ControlItem, ControlRequest, IdGenerator, Store, UnitOfWork,
};

/// A task that was accepted with these options.
async fn accepted(desk: &Desk, options: TaskOptions) -> TaskId {
    let view = desk.submit().await;
    desk.tasks.cancel(&ada(), view.task.id, CancelMode::Graceful, None).await.unwrap();
    let (id, run_id) = (TaskId::new(desk.ids.next_id()), crewd_domain::shared::RunId::new(desk.ids.next_id()));
    let now = desk.clock.now();
    let mut run = match options.not_before {
        Some(at) => Run::scheduled(run_id, id, view.task.tenant_id.clone(), at, now),
        None => Run::queued(run_id, id, view.task.tenant_id.clone(), now),
    };
    if run.status == RunStatus::Queued {
        run.wake_at = options.queue_timeout_seconds.map(|seconds| now + chrono::TimeDelta::seconds(seconds.into()));
    }
    let task = Task { id, current_run: run_id, options, ..view.task };
    let mut unit = UnitOfWork::new(task.tenant_id.clone());
    unit.push(Change::InsertTask(Box::new(task)));
    unit.push(Change::InsertRun(Box::new(run)));
    desk.store.commit(unit).await.unwrap();
    id
}

fn question(claimed: &ClaimedRun, desk: &Desk, expires_at: Option<DateTime<Utc>>, on_expire: OnExpire) -> Approval {
    Approval {
        id: ApprovalId::new(desk.ids.next_id()),
        tenant_id: claimed.run.tenant_id.clone(),
        task_id: claimed.task.id,
        run_id: claimed.run.id,
        step: turn(0).tool(0),
        kind: ApprovalKind::Tool,
        tool: "pay".into(),
        agent: "poet".into(),
        question: None,
        arguments: json!({}),
        arguments_hash: "abc".into(),
        risk: RiskLevel::High,
        policy: "crew:high".into(),
        allowed: vec![Decision::Approve, Decision::Reject],
        response_schema: None,
        requested_at: desk.clock.now(),
        expires_at,
        on_expire,
        status: ApprovalStatus::Pending,
        decided: None,
        version: 1,
    }
}

async fn ask(desk: &Desk, approval: Approval) {
    let mut unit = UnitOfWork::new(approval.tenant_id.clone());
    unit.push(Change::InsertApproval(Box::new(approval)));
    desk.store.commit(unit).await.unwrap();
}

async fn order(desk: &Desk, claimed: &ClaimedRun, request: ControlRequest) {
    let item = ControlItem { id: desk.ids.next_id(), run_id: claimed.run.id, task_id: claimed.task.id, request };
    let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
    unit.push(Change::InsertControl(Box::new(item)));
    desk.store.commit(unit).await.unwrap();
}

async fn tick(desk: &Desk, moved: usize) {
    let woken = desk.signal.count();
    assert_eq!(desk.waker.tick().await.unwrap(), moved);
    assert_eq!(desk.signal.count() - woken, usize::from(moved > 0), "nobody is woken for nothing");
}

#[tokio::test]
async fn a_scheduled_task_is_queued_when_its_time_has_come_and_fails_when_nobody_takes_it() {
    let desk = Desk::new();
    let at = desk.clock.now() + Duration::from_secs(60);
    let id =
        accepted(&desk, TaskOptions { not_before: Some(at), queue_timeout_seconds: Some(30), ..TaskOptions::default() }).await;
    tick(&desk, 0).await;
    desk.clock.advance(Duration::from_secs(60));
    tick(&desk, 1).await;
    let run = desk.view(id).await.run;
    assert_eq!((run.status, run.wake_at), (RunStatus::Queued, Some(at + Duration::from_secs(30))));
    tick(&desk, 0).await;
    desk.clock.advance(Duration::from_secs(30));
    tick(&desk, 1).await;
    let run = desk.view(id).await.run;
    let failure = run.error.unwrap();
    assert_eq!((run.status, failure.code.as_str(), failure.retryable), (RunStatus::Failed, "timeout", true));
    assert_eq!(failure.details, json!({"reason": "queue_timeout", "limit_seconds": 30}));
    assert_eq!(run.dead_letter, Some(DeadLetter::Open));
    assert_eq!(desk.kinds(id).await, ["task.queued", "task.failed"]);
    tick(&desk, 0).await;
}

#[tokio::test]
async fn a_task_that_was_taken_in_time_is_left_alone() {
    let desk = Desk::new();
    let id = accepted(&desk, TaskOptions { queue_timeout_seconds: Some(30), ..TaskOptions::default() }).await;
    let _claimed = desk.claim().await;
    desk.clock.advance(Duration::from_secs(31));
    tick(&desk, 0).await;
    assert_eq!(desk.view(id).await.run.status, RunStatus::Running);
}

#[tokio::test]
async fn a_timer_ends_a_wait() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.park(claimed, WaitReason::Timer, Some(desk.clock.now() + Duration::from_secs(5))).await;
    tick(&desk, 0).await;
    desk.clock.advance(Duration::from_secs(5));
    tick(&desk, 1).await;
    let run = desk.view(id).await.run;
    assert_eq!((run.status, run.woken_from, run.waited_ms), (RunStatus::Queued, Some(WaitReason::Timer), 5_000));
    assert_eq!(desk.kinds(id).await, ["task.queued", "task.waiting"]);
}

#[tokio::test]
async fn questions_expire_and_are_never_approved() {
    for (on_expire, status) in [(OnExpire::Deny, RunStatus::Queued), (OnExpire::Cancel, RunStatus::Cancelled)] {
        let desk = Desk::new();
        let id = desk.submit().await.task.id;
        let mut claimed = desk.claim().await;
        desk.journal(&mut claimed, [asked(turn(0))]).await;
        let until = Some(desk.clock.now() + Duration::from_secs(5));
        let (late, open) = (question(&claimed, &desk, until, on_expire), question(&claimed, &desk, None, OnExpire::Deny));
        for one in [&late, &open] {
            ask(&desk, one.clone()).await;
        }
        let tenant = claimed.run.tenant_id.clone();
        desk.park(claimed, WaitReason::Approval, until).await;
        desk.clock.advance(Duration::from_secs(5));
        tick(&desk, 1).await;
        let view = desk.view(id).await;
        assert_eq!(view.run.status, status);
        let now = |id| desk.store.approval(&tenant, id);
        assert_eq!(now(late.id).await.unwrap().unwrap().status, ApprovalStatus::Expired);
        let left = now(open.id).await.unwrap().unwrap().status;
        let kinds = desk.kinds(id).await;
        if on_expire == OnExpire::Cancel {
            assert_eq!(left, ApprovalStatus::Withdrawn);
            assert_eq!(kinds, ["task.queued", "log", "task.waiting", "approval.expired", "task.cancelled"]);
            let cancel = view.run.cancel.unwrap();
            assert_eq!((cancel.actor.as_str(), cancel.reason.as_deref()), ("system", Some("approval expired")));
            assert_eq!((view.run.usage.input_tokens, view.run.output.is_some()), (5, true), "what was done is kept");
        } else {
            assert_eq!(left, ApprovalStatus::Pending);
            assert_eq!(kinds, ["task.queued", "log", "task.waiting", "approval.expired"]);
        }
        tick(&desk, 0).await;
    }
}

#[tokio::test]
async fn orders_reach_a_run_that_waits() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    let cancel =
        crewd_domain::runs::CancelRequest { mode: CancelMode::Graceful, reason: None, actor: "ada".into(), superseded: None };
    desk.park(claimed.clone(), WaitReason::Input, None).await;
    desk.tasks.pause(&ada(), id, None).await.unwrap();
    tick(&desk, 1).await;
    assert_eq!(desk.view(id).await.run.status, RunStatus::Queued, "its next worker parks it again");
    let again = desk.claim().await;
    assert_eq!(again.controls.len(), 1);
    desk.park(again, WaitReason::Input, None).await;
    order(&desk, &claimed, ControlRequest::Message { text: "hi".into(), actor: "ada".into() }).await;
    order(&desk, &claimed, ControlRequest::Cancel(cancel)).await;
    tick(&desk, 1).await;
    let view = desk.view(id).await;
    assert_eq!((view.run.status, view.run.cancel.map(|cancel| cancel.actor)), (RunStatus::Cancelled, Some("ada".into())));
    tick(&desk, 0).await;
}

#[tokio::test]
async fn a_pause_holds_until_it_is_ended() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    let mut approval = question(&claimed, &desk, None, OnExpire::Deny);
    ask(&desk, approval.clone()).await;
    desk.park(claimed.clone(), WaitReason::Operator, None).await;
    // A second pause and an answer that were on their way to the worker.
    order(&desk, &claimed, ControlRequest::Pause { reason: None, actor: "eve".into() }).await;
    let by_bob =
        DecisionRequest { decision: Decision::Approve, arguments: None, response: None, comment: None, by: "bob".into() };
    approval.decide(by_bob, desk.clock.now()).unwrap();
    let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
    unit.push(Change::UpdateApproval(Box::new(ApprovalUpdate { approval: approval.clone(), expected_version: 1 })));
    desk.store.commit(unit).await.unwrap();
    order(&desk, &claimed, ControlRequest::Decided { approval: approval.id }).await;
    tick(&desk, 1).await;
    assert_eq!(desk.view(id).await.run.waiting_for, Some(WaitReason::Operator));
    let last = desk.log(id).await.pop().unwrap();
    let data: Value = serde_json::from_str(last.data.get()).unwrap();
    assert_eq!((last.kind.as_str(), &data["by"]), ("approval.decided", &json!("bob")));
    tick(&desk, 0).await;
    order(&desk, &claimed, ControlRequest::Resume { actor: "eve".into() }).await;
    tick(&desk, 1).await;
    assert_eq!(desk.view(id).await.run.status, RunStatus::Queued);
}

#[tokio::test]
async fn whoever_comes_second_does_nothing() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let claimed = desk.claim().await;
    desk.park(claimed, WaitReason::Timer, Some(desk.clock.now())).await;
    let desk = Arc::new(desk);
    let other = desk.clone();
    desk.rival.let_act_first(async move { assert_eq!(other.waker.tick().await.unwrap(), 1) });
    assert_eq!(desk.waker.tick().await.unwrap(), 0);
    assert_eq!(desk.view(id).await.run.status, RunStatus::Queued);
}

#[tokio::test]
async fn a_crowd_is_moved_in_one_look() {
    let desk = Desk::new();
    for _ in 0..600 {
        desk.submit().await;
        let claimed = desk.claim().await;
        desk.park(claimed, WaitReason::Timer, Some(desk.clock.now())).await;
    }
    tick(&desk, 600).await;
    tick(&desk, 0).await;
}
