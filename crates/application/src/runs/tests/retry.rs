use crewd_domain::runs::{
    EventDraft, EventKind, FailureClass, IncompleteReason, RunOutcome, RunStatus, Step, StepPath, StepStatus,
};
use crewd_domain::shared::{TaskId, TenantId, Usage};
use serde_json::{Value, json};

use super::desk::{Desk, ada, stranger};
use super::steps::{asked, called, cut_off, failed, turn, unknown};
use crate::error::ErrorCode;
use crate::ports::{RunQueries, TaskView};
use crate::runs::{IdempotencyKey, RetryFrom};

/// A task whose run failed with this journal.
async fn ended(desk: &Desk, steps: Vec<Step>, class: FailureClass) -> TaskView {
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    desk.journal(&mut claimed, steps).await;
    desk.fail(claimed, class).await;
    desk.view(id).await
}

async fn journal(desk: &Desk, id: TaskId) -> Vec<Step> {
    desk.tasks.steps(&ada(), id, None).await.unwrap()
}

fn paths(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|step| step.path.as_str().trim_start_matches("crew_task[0].agent.")).collect()
}

#[tokio::test]
async fn finished_steps_come_along_unpaid_and_the_failed_call_is_done_again() {
    let desk = Desk::new();
    let steps =
        vec![asked(turn(0)), failed(called(turn(0).tool(0))), failed(asked(turn(1))), asked(turn(2)), failed(asked(turn(3)))];
    let old = ended(&desk, steps, FailureClass::ProviderError).await;
    let id = old.task.id;
    let woken = desk.signal.count();
    let view = desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap().view;
    assert_eq!((view.run.status, view.run.attempt, view.run.parent), (RunStatus::Queued, 2, Some(old.run.id)));
    assert_eq!((view.run.fork_step.as_ref(), view.progress.steps_done), (Some(&turn(3)), 4));
    assert_eq!(view.progress.usage, Usage::default());
    let taken = journal(&desk, id).await;
    assert_eq!(paths(&taken), ["turn[0]", "turn[0].tool[0]", "turn[1]", "turn[2]"], "worked around failures stay");
    assert!(taken.iter().all(|step| step.reused_from == Some(old.run.id) && step.run_id == view.run.id));
    assert_eq!(desk.signal.count(), woken + 1);
    let log = desk.log(id).await;
    let (end, event) = (&log[log.len() - 2], &log[log.len() - 1]);
    assert_eq!(
        (end.kind, event.kind, event.seq, event.run_id),
        (EventKind::TaskFailed, EventKind::TaskQueued, end.seq + 1, view.run.id)
    );
    let data: Value = serde_json::from_str(event.data.get()).unwrap();
    assert_eq!((&data["attempt"], &data["from"], &data["steps_reused"]), (&json!(2), &json!("failed_step"), &json!(4)));
    assert_eq!(data["parent_run_id"], json!(old.run.id));
    let runs = desk.tasks.runs(&ada(), id).await.unwrap();
    assert_eq!(runs.iter().map(|run| run.status).collect::<Vec<_>>(), [RunStatus::Failed, RunStatus::Queued]);
    assert_eq!(desk.tasks.steps(&ada(), id, Some(old.run.id)).await.unwrap().len(), 5, "the old journal stays as it is");
}

#[tokio::test]
async fn what_was_cut_off_is_done_again_and_an_unknown_effect_is_not() {
    let desk = Desk::new();
    let read = |path| Step { effect: crewd_domain::tools::EffectClass::ReadOnly, ..called(path) };
    let steps = vec![
        asked(turn(0)),
        unknown(called(turn(0).tool(0))),
        cut_off(read(turn(0).tool(1))),
        Step { status: StepStatus::Started, ..called(turn(0).tool(2)) },
        Step { status: StepStatus::Started, ..read(turn(0).tool(3)) },
        called(turn(0).tool(4)),
    ];
    let id = ended(&desk, steps, FailureClass::Internal).await.task.id;
    let run = desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap().view.run;
    let taken = journal(&desk, id).await;
    assert_eq!(paths(&taken), ["turn[0]", "turn[0].tool[0]", "turn[0].tool[2]", "turn[0].tool[4]"]);
    assert_eq!((taken[1].status, taken[2].status), (StepStatus::OutcomeUnknown, StepStatus::Started));
    assert_eq!(taken[1].idempotency_key, format!("key of {}", turn(0).tool(0)), "whatever happened, happened under this key");
    assert_eq!(run.fork_step, Some(turn(0).tool(1)));
}

#[tokio::test]
async fn an_answer_that_was_no_good_is_asked_for_again() {
    let other = StepPath::crew_task(1).agent().turn(0);
    let steps = || vec![asked(turn(0)), called(turn(0).tool(0)), asked(turn(1)), called(turn(1).tool(0)), asked(other.clone())];
    for (class, taken) in [(FailureClass::ProviderError, 3), (FailureClass::JournalMismatch, 5)] {
        let desk = Desk::new();
        let id = desk.submit().await.task.id;
        let mut claimed = desk.claim().await;
        desk.journal(&mut claimed, steps()).await;
        desk.say(&mut claimed, [EventDraft::of_step(EventKind::CrewTaskCompleted, StepPath::crew_task(1), json!({}))]).await;
        desk.fail(claimed, class).await;
        desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap();
        assert_eq!(journal(&desk, id).await.len(), taken, "{class}: the last turn of the crew task that is not done");
    }
}

#[tokio::test]
async fn a_limit_repeats_nothing_but_a_missing_answer() {
    for (reason, taken) in [(IncompleteReason::Tokens, 2), (IncompleteReason::Deadline, 2), (IncompleteReason::Steps, 0)] {
        let desk = Desk::new();
        let id = desk.submit().await.task.id;
        let mut claimed = desk.claim().await;
        desk.journal(&mut claimed, [asked(turn(0)), called(turn(0).tool(0))]).await;
        let failure = crewd_domain::runs::Failure::new(FailureClass::UserError, "budget_exceeded", "spent");
        desk.finish(claimed, RunOutcome::Incomplete { reason, failure, output: Value::Null }).await;
        desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap();
        assert_eq!(journal(&desk, id).await.len(), taken, "{reason}");
    }
}

#[tokio::test]
async fn a_path_or_the_start_can_be_named() {
    let desk = Desk::new();
    let steps = || vec![asked(turn(0)), called(turn(0).tool(0)), asked(turn(1)), failed(asked(turn(2)))];
    let from = |path: &str| RetryFrom::Step(StepPath::from_stored(path.to_owned()));
    let cases = [
        (RetryFrom::Start, 0, "turn[0]"),
        (from("crew_task[0].agent.turn[1]"), 2, "turn[1]"),
        (from("crew_task[0].agent.turn[0].tool[0]"), 1, "turn[0].tool[0]"),
        (from("crew_task[0]"), 0, "turn[0]"),
    ];
    for (from, taken, first) in cases {
        let desk = Desk::new();
        let id = ended(&desk, steps(), FailureClass::ProviderError).await.task.id;
        let view = desk.tasks.retry(&ada(), id, &from, None).await.unwrap().view;
        assert_eq!(journal(&desk, id).await.len(), taken, "{from:?}");
        let fork_step = view.run.fork_step.unwrap();
        assert_eq!(fork_step.as_str().trim_start_matches("crew_task[0].agent."), first);
    }
    let id = ended(&desk, steps(), FailureClass::ProviderError).await.task.id;
    for path in ["crew_task[1]", "crew_task[0].agent.turn[7]", "crew_task", "nonsense"] {
        let error = desk.tasks.retry(&ada(), id, &from(path), None).await.unwrap_err();
        assert_eq!((error.code, error.fields[0].pointer.as_str()), (ErrorCode::ValidationFailed, "/from"), "{path}");
    }
    assert_eq!(desk.view(id).await.run.attempt, 1);
}

#[tokio::test]
async fn steps_remember_who_did_them_through_many_runs() {
    let desk = Desk::new();
    let first = ended(&desk, vec![asked(turn(0)), failed(asked(turn(1)))], FailureClass::ProviderError).await;
    let id = first.task.id;
    let second = desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap().view.run;
    let mut claimed = desk.claim().await;
    desk.journal(&mut claimed, [asked(turn(1)), failed(asked(turn(2)))]).await;
    desk.fail(claimed, FailureClass::ProviderError).await;
    let third = desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap().view.run;
    assert_eq!((third.attempt, third.parent), (3, Some(second.id)));
    let by: Vec<_> = journal(&desk, id).await.iter().map(|step| step.reused_from).collect();
    assert_eq!(by, [Some(first.run.id), Some(second.id)]);
    let seqs: Vec<u64> = desk.log(id).await.iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "no gap over three runs");
}

#[tokio::test]
async fn only_an_unhappy_end_can_be_tried_again() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let refused = async || desk.tasks.retry(&ada(), id, &RetryFrom::Start, None).await.unwrap_err().code;
    assert_eq!(refused().await, ErrorCode::InvalidState, "queued");
    let claimed = desk.claim().await;
    assert_eq!(refused().await, ErrorCode::InvalidState, "running");
    desk.park(claimed, crewd_domain::runs::WaitReason::Approval, None).await;
    assert_eq!(refused().await, ErrorCode::InvalidState, "waiting");
    desk.tasks.cancel(&ada(), id, crewd_domain::runs::CancelMode::Graceful, None).await.unwrap();
    assert_eq!(desk.tasks.retry(&stranger(), id, &RetryFrom::Start, None).await.unwrap_err().code, ErrorCode::NotFound);
    assert!(desk.tasks.retry(&ada(), id, &RetryFrom::Start, None).await.is_ok(), "cancelled");
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    assert_eq!(refused().await, ErrorCode::InvalidState, "succeeded");
}

#[tokio::test]
async fn of_two_retries_at_once_one_counts() {
    let desk = Desk::new();
    let id = ended(&desk, Vec::new(), FailureClass::ProviderError).await.task.id;
    let tasks = desk.tasks.clone();
    let key = || Some(IdempotencyKey { key: "k".into(), fingerprint: "f".into() });
    desk.rival.let_act_first(async move {
        tasks.retry(&ada(), id, &RetryFrom::Start, None).await.unwrap();
    });
    let error = desk.tasks.retry(&ada(), id, &RetryFrom::Start, key()).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::InvalidState, Some("changed_meanwhile")));
    let runs = desk.store.runs_of(&TenantId::default_tenant(), id).await.unwrap();
    assert_eq!(runs.len(), 2, "nothing half done");
    let claimed = desk.claim().await;
    desk.fail(claimed, FailureClass::ProviderError).await;
    let first = desk.tasks.retry(&ada(), id, &RetryFrom::Start, key()).await.unwrap();
    let again = desk.tasks.retry(&ada(), id, &RetryFrom::Start, key()).await.unwrap();
    assert_eq!((first.replayed, again.replayed, again.view), (false, true, first.view));
}

#[tokio::test]
async fn readers_go_on_through_the_end_of_an_earlier_run() {
    let desk = Desk::new();
    let id = ended(&desk, Vec::new(), FailureClass::ProviderError).await.task.id;
    let mut before = desk.tasks.follow(&ada(), id, 0, Vec::new()).await.unwrap().1;
    desk.tasks.retry(&ada(), id, &RetryFrom::FailedStep, None).await.unwrap();
    let mut between = desk.tasks.follow(&ada(), id, 2, Vec::new()).await.unwrap().1;
    let waiting = desk.tasks.clone();
    let waiter = tokio::spawn(async move { waiting.wait(&ada(), id, std::time::Duration::from_secs(60)).await.unwrap() });
    tokio::task::yield_now().await;
    let claimed = desk.claim().await;
    desk.succeed(claimed).await;
    for (feed, first) in [(&mut before, 1), (&mut between, 3)] {
        let mut seen = Vec::new();
        while let Some(event) = feed.next().await.unwrap() {
            seen.push(event.seq);
        }
        assert_eq!(seen, (first..=4).collect::<Vec<_>>(), "through the first end to the last");
    }
    assert_eq!(waiter.await.unwrap().run.status, RunStatus::Succeeded);
    let mut from_the_middle = desk.tasks.follow(&ada(), id, 1, Vec::new()).await.unwrap().1;
    let mut last = None;
    while let Some(event) = from_the_middle.next().await.unwrap() {
        last = Some(event.kind);
    }
    assert_eq!(last, Some(EventKind::TaskSucceeded));
}
