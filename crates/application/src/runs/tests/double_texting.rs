//! A new task while others with its concurrency key have not ended.

use crewd_domain::runs::{CancelMode, Concurrency, ConcurrencyMode, RunStatus, Superseded, TaskOptions, WaitReason};
use serde_json::json;

use super::desk::{Desk, ada, inputs, poem};
use crate::error::ErrorCode;
use crate::ports::{ControlRequest, RunQueries, TaskView};
use crate::runs::{IdempotencyKey, Instead, SubmitTask, Submitted};

fn text(mode: ConcurrencyMode) -> SubmitTask {
    let concurrency = Some(Concurrency { key: "chat-1".to_owned(), mode });
    SubmitTask { options: TaskOptions { concurrency, ..TaskOptions::default() }, ..poem("tea") }
}

async fn send(desk: &Desk, mode: ConcurrencyMode) -> Submitted {
    desk.tasks.submit(&ada(), text(mode), None).await.unwrap()
}

async fn going_on(desk: &Desk) -> Vec<TaskView> {
    desk.store.tasks_with_key(&ada().tenant, "chat-1").await.unwrap()
}

#[tokio::test]
async fn a_second_one_comes_after_the_first() {
    let desk = Desk::new();
    let first = send(&desk, ConcurrencyMode::Enqueue).await.view;
    let second = send(&desk, ConcurrencyMode::Enqueue).await.view;
    assert_eq!(second.run.concurrency_key.as_deref(), Some("chat-1"));
    let claimed = desk.claim().await;
    assert_eq!(claimed.task.id, first.task.id);
    assert_eq!(desk.view(second.task.id).await.run.status, RunStatus::Queued);
    desk.succeed(claimed).await;
    assert_eq!(desk.claim().await.task.id, second.task.id);
}

#[tokio::test]
async fn a_second_one_is_refused_until_the_first_has_ended() {
    let desk = Desk::new();
    let first = send(&desk, ConcurrencyMode::Reject).await.view;
    let error = desk.tasks.submit(&ada(), text(ConcurrencyMode::Reject), None).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::Conflict, Some("concurrency_conflict")));
    assert_eq!(error.facts.unwrap().task_id, Some(first.task.id));
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    assert_eq!(send(&desk, ConcurrencyMode::Reject).await.instead, None);
}

#[tokio::test]
async fn those_before_are_cancelled_in_the_same_moment() {
    for (mode, drops_output) in [(ConcurrencyMode::Interrupt, false), (ConcurrencyMode::Rollback, true)] {
        let desk = Desk::new();
        let parked = send(&desk, ConcurrencyMode::Enqueue).await.view.task.id;
        let claimed = desk.claim().await;
        desk.park(claimed, WaitReason::Input, None).await;
        let running = send(&desk, ConcurrencyMode::Enqueue).await.view;
        desk.claim().await;
        let queued = send(&desk, ConcurrencyMode::Enqueue).await.view.task.id;
        let newest = send(&desk, mode).await.view;
        let superseded = Some(Superseded { by: newest.run.id, drops_output });
        for id in [parked, queued] {
            let run = desk.view(id).await.run;
            assert_eq!((run.status, run.cancel.unwrap().superseded), (RunStatus::Cancelled, superseded));
            let log = serde_json::to_string(desk.log(id).await.last().unwrap()).unwrap();
            assert!(log.contains(&format!(r#""superseded_by":"{}""#, newest.run.id)), "{log}");
        }
        let given = desk.orders.given();
        let [(run, ControlRequest::Cancel(request))] = given.as_slice() else { panic!("{given:?}") };
        assert_eq!((*run, request.mode, request.superseded), (running.run.id, CancelMode::Immediate, superseded));
        let orders = desk.store.orders(&ada().tenant, running.run.id).await.unwrap();
        assert_eq!(orders.len(), 1, "the order is stored");
        assert_eq!(going_on(&desk).await.iter().map(|view| view.task.id).collect::<Vec<_>>(), [running.task.id, newest.task.id]);
    }
}

#[tokio::test]
async fn what_a_dropped_run_has_done_is_not_its_output() {
    for (mode, kept) in [(ConcurrencyMode::Interrupt, true), (ConcurrencyMode::Rollback, false)] {
        let desk = Desk::new();
        let first = send(&desk, ConcurrencyMode::Enqueue).await.view.task.id;
        let claimed = desk.claim().await;
        desk.park(claimed, WaitReason::Input, None).await;
        send(&desk, mode).await;
        let output = desk.view(first).await.run.output.filter(|output| !output.is_null());
        assert_eq!(output.is_some(), kept, "{mode:?}: {output:?}");
    }
}

#[tokio::test]
async fn inputs_go_to_the_one_at_work_as_a_message() {
    let desk = Desk::new();
    let first = send(&desk, ConcurrencyMode::Merge).await;
    assert_eq!(first.instead, None, "without another one it is a task like any other");
    let claimed = desk.claim().await;
    for (given, said) in [(json!({"message": "hurry", "x": 1}), "hurry"), (json!({"message": 7}), r#"{"message":7}"#)] {
        let task = SubmitTask { inputs: inputs(given), ..text(ConcurrencyMode::Merge) };
        let merged = desk.tasks.submit(&ada(), task, None).await.unwrap();
        assert_eq!((merged.view.task.id, merged.instead), (claimed.task.id, Some(Instead::Merged)));
        let given = desk.orders.given();
        assert_eq!(
            given.last(),
            Some(&(claimed.run.id, ControlRequest::Message { text: said.to_owned(), actor: "ada".to_owned() }))
        );
    }
    assert_eq!(desk.store.orders(&ada().tenant, claimed.run.id).await.unwrap().len(), 2);
    assert_eq!(going_on(&desk).await.len(), 1);
}

#[tokio::test]
async fn a_message_for_a_task_in_the_queue_waits_with_it() {
    let desk = Desk::new();
    let first = send(&desk, ConcurrencyMode::Enqueue).await.view;
    let key = || Some(IdempotencyKey { key: "key-1".into(), fingerprint: "body".into() });
    for is_again in [false, true] {
        let merged = desk.tasks.submit(&ada(), text(ConcurrencyMode::Merge), key()).await.unwrap();
        assert_eq!((merged.view.task.id, merged.replayed), (first.task.id, is_again));
    }
    let claimed = desk.claim().await;
    assert_eq!(claimed.controls.len(), 1, "a message that came twice is one message");
}

#[tokio::test]
async fn a_message_that_comes_too_late_is_a_task_of_its_own() {
    let desk = Desk::new();
    let first = send(&desk, ConcurrencyMode::Enqueue).await.view;
    let (tasks, id) = (desk.tasks.clone(), first.task.id);
    desk.rival.let_act_first(async move {
        tasks.cancel(&ada(), id, CancelMode::Graceful, None).await.unwrap();
    });
    let submitted = send(&desk, ConcurrencyMode::Merge).await;
    assert!(submitted.instead.is_none() && submitted.view.task.id != first.task.id);
    let task = SubmitTask { inputs: inputs(json!({"message": "x"})), ..text(ConcurrencyMode::Merge) };
    desk.tasks.cancel(&ada(), submitted.view.task.id, CancelMode::Graceful, None).await.unwrap();
    let error = desk.tasks.submit(&ada(), task, None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ValidationFailed, "then the inputs must be those of the crew");
}

#[tokio::test]
async fn of_two_at_the_same_moment_the_later_one_sees_the_first() {
    for mode in ConcurrencyMode::ALL.iter().copied() {
        let desk = Desk::new();
        let tasks = desk.tasks.clone();
        desk.rival.let_act_first(async move {
            tasks.submit(&ada(), text(mode), None).await.unwrap();
        });
        let answer = desk.tasks.submit(&ada(), text(mode), None).await;
        let left = going_on(&desk).await;
        match mode {
            ConcurrencyMode::Reject => {
                assert_eq!(answer.unwrap_err().reason, Some("concurrency_conflict"));
                assert_eq!(left.len(), 1);
            }
            ConcurrencyMode::Enqueue => assert_eq!(left.len(), 2),
            ConcurrencyMode::Interrupt | ConcurrencyMode::Rollback => {
                let newest = answer.unwrap().view.task.id;
                assert_eq!(left.iter().map(|view| view.task.id).collect::<Vec<_>>(), [newest]);
            }
            ConcurrencyMode::Merge => {
                assert_eq!((answer.unwrap().instead, left.len()), (Some(Instead::Merged), 1));
            }
        }
    }
}

#[tokio::test]
async fn a_run_that_ends_meanwhile_is_left_alone() {
    let desk = std::sync::Arc::new(Desk::new());
    let first = send(&desk, ConcurrencyMode::Enqueue).await.view;
    let claimed = desk.claim().await;
    let other = desk.clone();
    desk.rival.let_act_first(async move { other.succeed(claimed).await });
    let newest = send(&desk, ConcurrencyMode::Interrupt).await;
    assert_eq!(desk.view(first.task.id).await.run.status, RunStatus::Succeeded);
    assert_eq!((newest.instead, desk.orders.given().len()), (None, 0));
}

#[tokio::test]
async fn a_worker_that_comes_between_is_told_to_stop() {
    let desk = std::sync::Arc::new(Desk::new());
    let first = send(&desk, ConcurrencyMode::Enqueue).await.view;
    let (store, ids) = (desk.store.clone(), desk.ids.clone());
    desk.rival.let_act_first(async move {
        use crate::ports::{IdGenerator, RunQueue};
        let worker = crewd_domain::shared::WorkerId::new(ids.next_id());
        store.claim(worker, 1, super::desk::LEASE).await.unwrap();
    });
    let newest = send(&desk, ConcurrencyMode::Interrupt).await.view;
    assert_eq!(desk.view(first.task.id).await.run.status, RunStatus::Running);
    let orders = desk.store.orders(&ada().tenant, first.run.id).await.unwrap();
    assert!(matches!(&orders[0].request, ControlRequest::Cancel(request) if request.superseded.unwrap().by == newest.run.id));
}
