use crewd_domain::runs::{DeadLetter, FailureClass, ForkEffects, RunStatus};
use crewd_domain::shared::TaskId;
use serde_json::json;

use super::desk::{Desk, ada, inputs, stranger};
use super::steps::{asked, failed, turn};
use crate::error::ErrorCode;
use crate::runs::{DeadLetterFilter, Redrive, RetryFrom};

async fn dead(desk: &Desk, class: FailureClass) -> TaskId {
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    desk.journal(&mut claimed, [asked(turn(0)), failed(asked(turn(1)))]).await;
    desk.fail(claimed, class).await;
    id
}

async fn listed(desk: &Desk, filter: &DeadLetterFilter) -> Vec<TaskId> {
    let page = desk.tasks.dead_letters(&ada(), filter, None, 50).await.unwrap();
    page.items.iter().map(|view| view.task.id).collect()
}

#[tokio::test]
async fn failures_that_may_mend_are_listed_until_somebody_deals_with_them() {
    let desk = Desk::new();
    let first = dead(&desk, FailureClass::ProviderError).await;
    let second = dead(&desk, FailureClass::ToolError).await;
    let own_fault = dead(&desk, FailureClass::UserError).await;
    let all = DeadLetterFilter::default();
    assert_eq!(listed(&desk, &all).await, [second, first]);
    let tools = DeadLetterFilter { class: Some(FailureClass::ToolError), ..all.clone() };
    assert_eq!(listed(&desk, &tools).await, [second]);
    let other = DeadLetterFilter { crew: Some("painters".into()), ..all.clone() };
    assert!(listed(&desk, &other).await.is_empty());
    assert!(desk.tasks.dead_letters(&stranger(), &all, None, 50).await.unwrap().items.is_empty());
    assert_eq!(desk.tasks.dead_letter(&ada(), own_fault).await.unwrap_err().code, ErrorCode::NotFound);
    desk.tasks.discard(&ada(), first).await.unwrap();
    desk.tasks.redrive(&ada(), second, &Redrive::default(), None).await.unwrap();
    assert!(listed(&desk, &all).await.is_empty());
    assert_eq!(desk.tasks.dead_letter(&ada(), first).await.unwrap().run.dead_letter, Some(DeadLetter::Discarded));
    assert_eq!(desk.tasks.dead_letter(&ada(), second).await.unwrap_err().code, ErrorCode::NotFound, "it runs again");
}

#[tokio::test]
async fn a_redrive_is_a_further_run_and_files_the_letter() {
    let desk = Desk::new();
    let id = dead(&desk, FailureClass::ProviderError).await;
    let view = desk.tasks.redrive(&ada(), id, &Redrive::default(), None).await.unwrap().view;
    assert_eq!((view.task.id, view.run.attempt, view.run.status), (id, 2, RunStatus::Queued));
    let runs = desk.tasks.runs(&ada(), id).await.unwrap();
    assert_eq!((runs[0].status, runs[0].dead_letter), (RunStatus::Failed, Some(DeadLetter::Redriven)));
    let error = desk.tasks.redrive(&ada(), id, &Redrive::default(), None).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::InvalidState, Some("no_dead_letter")));
    let claimed = desk.claim().await;
    desk.fail(claimed, FailureClass::ProviderError).await;
    assert_eq!(listed(&desk, &DeadLetterFilter::default()).await, [id], "dead again");
    desk.tasks.retry(&ada(), id, &RetryFrom::Start, None).await.unwrap();
    let runs = desk.tasks.runs(&ada(), id).await.unwrap();
    assert_eq!(runs[1].dead_letter, Some(DeadLetter::Redriven), "a retry deals with it, too");
}

#[tokio::test]
async fn edited_inputs_go_on_in_a_child() {
    let desk = Desk::new();
    let id = dead(&desk, FailureClass::ToolError).await;
    let request = |edited, from| Redrive { from, edited_input: inputs(edited) };
    let wrong = request(json!({"tpoic": "milk"}), RetryFrom::Step(turn(7)));
    let error = desk.tasks.redrive(&ada(), id, &wrong, None).await.unwrap_err();
    let pointers: Vec<&str> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
    assert_eq!(pointers, ["/from", "/edited_input/tpoic"]);
    let good = request(json!({"topic": "milk"}), RetryFrom::FailedStep);
    let child = desk.tasks.redrive(&ada(), id, &good, None).await.unwrap().view;
    assert_eq!((child.task.inputs["topic"].as_str(), child.progress.steps_done), (Some("milk"), 1));
    let line = child.task.options.origin.unwrap();
    assert_eq!((line.task_id, line.effects, line.from_step), (id, ForkEffects::Execute, Some(turn(1))));
    let old = desk.view(id).await;
    assert_eq!(
        (old.run.status, old.run.dead_letter, old.task.inputs["topic"].as_str()),
        (RunStatus::Failed, Some(DeadLetter::Redriven), Some("tea"))
    );
    let from_start = request(json!({"topic": "milk"}), RetryFrom::Start);
    let error = desk.tasks.redrive(&ada(), id, &from_start, None).await.unwrap_err();
    assert_eq!(error.reason, Some("no_dead_letter"));
}

#[tokio::test]
async fn a_letter_is_discarded_once_and_for_good() {
    let desk = Desk::new();
    let id = dead(&desk, FailureClass::ProviderError).await;
    let view = desk.tasks.discard(&ada(), id).await.unwrap();
    assert_eq!((view.run.status, view.run.dead_letter), (RunStatus::Failed, Some(DeadLetter::Discarded)));
    assert_eq!(desk.tasks.discard(&ada(), id).await.unwrap(), view, "again changes nothing");
    assert_eq!(desk.tasks.redrive(&ada(), id, &Redrive::default(), None).await.unwrap_err().code, ErrorCode::InvalidState);
    let fine = desk.submit().await.task.id;
    assert_eq!(desk.tasks.discard(&ada(), fine).await.unwrap_err().reason, Some("no_dead_letter"));
    assert_eq!(desk.tasks.discard(&stranger(), id).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn many_are_dealt_with_at_once_and_what_fails_is_named() {
    let desk = Desk::new();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(dead(&desk, FailureClass::ProviderError).await);
    }
    let all = DeadLetterFilter::default();
    let some = desk.tasks.redrive_all(&ada(), &all, &RetryFrom::FailedStep, 2).await.unwrap();
    assert_eq!((some.matched, some.done, some.failed.len()), (2, 2, 0));
    assert_eq!(listed(&desk, &all).await, [ids[2], ids[1], ids[0]], "the newest first");
    let (tasks, third) = (desk.tasks.clone(), ids[2]);
    desk.rival.let_act_first(async move { drop(tasks.retry(&ada(), third, &RetryFrom::Start, None).await.unwrap()) });
    let rest = desk.tasks.discard_all(&ada(), &all, 1000).await.unwrap();
    assert_eq!((rest.matched, rest.done), (3, 2));
    assert_eq!(rest.failed, [(third, ErrorCode::InvalidState)]);
    let none = desk.tasks.discard_all(&ada(), &all, 1000).await.unwrap();
    assert_eq!((none.matched, none.done), (0, 0));
}
