use crewd_domain::runs::{EventKind, FailureClass, ForkEffects, ForkOverrides, RunStatus, Step, StepPath};
use crewd_domain::shared::Usage;
use serde_json::{Value, json};

use super::desk::{Desk, ada, inputs, poets, stranger};
use super::steps::{asked, called, cut_off, failed, turn};
use crate::error::ErrorCode;
use crate::ports::TaskView;
use crate::runs::{ForkTask, IdempotencyKey, RetryFrom};

/// A running task with three turns behind it.
async fn running(desk: &Desk) -> TaskView {
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    desk.journal(&mut claimed, [asked(turn(0)), called(turn(0).tool(0)), asked(turn(1)), asked(turn(2))]).await;
    desk.view(id).await
}

fn from(path: &StepPath) -> ForkTask {
    ForkTask {
        from_step: path.clone(),
        overrides: ForkOverrides::default(),
        definition_version: None,
        effects: ForkEffects::default(),
    }
}

fn overrides(value: Value) -> ForkOverrides {
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn a_child_begins_where_its_origin_was() {
    let desk = Desk::new();
    let origin = running(&desk).await;
    let view = desk.tasks.fork(&ada(), origin.task.id, from(&turn(1)), None).await.unwrap().view;
    assert_ne!(view.task.id, origin.task.id);
    assert_eq!((view.run.status, view.run.attempt, view.run.parent), (RunStatus::Queued, 1, Some(origin.run.id)));
    assert_eq!((view.run.fork_step.as_ref(), view.progress.usage), (Some(&turn(1)), Usage::default()));
    let line = view.task.options.origin.as_ref().unwrap();
    assert_eq!((line.task_id, line.run_id, line.from_step.as_ref()), (origin.task.id, origin.run.id, Some(&turn(1))));
    assert_eq!((line.effects, line.replay, line.dated), (ForkEffects::Reuse, false, origin.task.created_at));
    assert_eq!((&view.task.inputs, &view.task.metadata), (&origin.task.inputs, &origin.task.metadata));
    let steps = desk.tasks.steps(&ada(), view.task.id, None).await.unwrap();
    let taken: Vec<_> = steps.iter().map(|step| (step.path.clone(), step.seq, step.input_hash.as_str())).collect();
    assert_eq!(taken, [(turn(0), 1, "abc"), (turn(0).tool(0), 2, "abc")]);
    assert!(steps.iter().all(|step| step.reused_from == Some(origin.run.id) && step.task_id == view.task.id));
    assert_eq!(desk.kinds(view.task.id).await, ["task.queued"]);
    assert_eq!(desk.view(origin.task.id).await, origin, "the origin is not touched");
}

#[tokio::test]
async fn the_journal_of_a_child_stays_in_order_through_its_own_steps_and_retries() {
    let desk = Desk::new();
    let origin = running(&desk).await;
    let child = desk.tasks.fork(&ada(), origin.task.id, from(&turn(2)), None).await.unwrap().view.task.id;
    let mut claimed = desk.claim().await;
    desk.journal(&mut claimed, [asked(turn(2)), failed(asked(turn(3)))]).await;
    desk.fail(claimed, FailureClass::ProviderError).await;
    let paths = async || -> Vec<StepPath> {
        desk.tasks.steps(&ada(), child, None).await.unwrap().into_iter().map(|step| step.path).collect()
    };
    let all = [turn(0), turn(0).tool(0), turn(1), turn(2), turn(3)];
    assert_eq!(paths().await, all);
    desk.tasks.retry(&ada(), child, &RetryFrom::FailedStep, None).await.unwrap();
    assert_eq!(paths().await, all[..4]);
    let grandchild = desk.tasks.fork(&ada(), child, from(&turn(2)), None).await.unwrap().view.task;
    let steps = desk.tasks.steps(&ada(), grandchild.id, None).await.unwrap();
    assert_eq!(steps.iter().map(|step| step.path.clone()).collect::<Vec<_>>(), all[..3]);
    assert_eq!(grandchild.dated(), origin.task.created_at, "the whole line tells one date");
}

#[tokio::test]
async fn what_is_different_makes_the_steps_fit_any_input() {
    let desk = Desk::new();
    let origin = running(&desk).await;
    let different = overrides(json!({"inputs": {"topic": "coffee"}, "model": "small",
        "agents": {"poet": {"goal": "Shout about {topic}"}}, "tasks": {"rhyme": {"description": "A {style}!"}}}));
    let request = ForkTask { overrides: different.clone(), effects: ForkEffects::DryRun, ..from(&turn(1)) };
    let view = desk.tasks.fork(&ada(), origin.task.id, request, None).await.unwrap().view;
    assert_eq!(view.task.inputs, inputs(json!({"topic": "coffee", "land": "China"})));
    let line = view.task.options.origin.clone().unwrap();
    assert_eq!((&line.overrides, line.effects), (&different, ForkEffects::DryRun));
    let steps = desk.tasks.steps(&ada(), view.task.id, None).await.unwrap();
    assert!(steps.iter().all(|step| step.input_hash == Step::ANY_INPUT && step.had_input("anything")));
    let request = ForkTask { overrides: overrides(json!({"model": "large"})), ..from(&turn(0).tool(0)) };
    let next = desk.tasks.fork(&ada(), view.task.id, request, None).await.unwrap().view;
    let line = next.task.options.origin.unwrap().overrides;
    assert_eq!((line.model.as_deref(), &line.inputs["topic"]), (Some("large"), &json!("coffee")), "a child of a child");
}

#[tokio::test]
async fn everything_wrong_is_told_at_once_and_nothing_is_made() {
    let desk = Desk::new();
    let origin = running(&desk).await;
    let wrong = overrides(json!({"inputs": {"tpoic": 1}, "agents": {"pote": {"role": "x"}, "poet": {"shoe": "x", "goal": 7}},
        "tasks": {"rhyme": "x", "ryhme": {}}, "tools": {"file_raed": "x"}}));
    let request = ForkTask { overrides: wrong, ..from(&turn(9)) };
    let error = desk.tasks.fork(&ada(), origin.task.id, request, None).await.unwrap_err();
    let mut pointers: Vec<&str> = error.fields.iter().map(|field| field.pointer.as_str()).collect();
    pointers.sort_unstable();
    let expected = [
        "/from_step",
        "/overrides/inputs/tpoic",
        "/overrides/prompt/agents/poet/goal",
        "/overrides/prompt/agents/poet/shoe",
        "/overrides/prompt/agents/pote",
        "/overrides/prompt/tasks/rhyme",
        "/overrides/prompt/tasks/ryhme",
        "/overrides/tools/file_raed",
    ];
    assert_eq!((error.code, pointers.as_slice()), (ErrorCode::ValidationFailed, expected.as_slice()));
    assert!(error.fields.iter().any(|field| field.message.contains("did you mean `topic`?")));
    let request = ForkTask { overrides: overrides(json!({"tasks": {"rhyme": {"description": "on {mood}"}}})), ..from(&turn(1)) };
    let error = desk.tasks.fork(&ada(), origin.task.id, request, None).await.unwrap_err();
    assert_eq!(error.fields[0].pointer, "/overrides/inputs/mood", "a new text may ask for a new input");
    let request = ForkTask { definition_version: Some("sha256:none".into()), ..from(&turn(1)) };
    let error = desk.tasks.fork(&ada(), origin.task.id, request, None).await.unwrap_err();
    assert_eq!(error.fields[0].pointer, "/overrides/definition_version");
    let error = desk.tasks.fork(&stranger(), origin.task.id, from(&turn(1)), None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    let all = desk.tasks.list(&ada(), &Default::default(), None, 9).await.unwrap();
    assert_eq!(all.items.len(), 1);
}

#[tokio::test]
async fn a_child_can_have_another_version_of_its_crew() {
    let desk = Desk::new();
    let origin = running(&desk).await;
    let mut crew = poets();
    crew.agents[0].goal = "Sing of {topic}".into();
    desk.catalog.put(crew);
    let version = desk.tasks.parts.crews.current(&ada(), "poets").unwrap().version.to_string();
    assert_ne!(version, origin.task.definition_version);
    let request = ForkTask { definition_version: Some(version.clone()), ..from(&turn(1)) };
    let view = desk.tasks.fork(&ada(), origin.task.id, request, None).await.unwrap().view;
    assert_eq!(view.task.definition_version, version);
    assert_eq!(desk.tasks.steps(&ada(), view.task.id, None).await.unwrap()[0].input_hash, Step::ANY_INPUT);
    assert!(desk.claim().await.definition.is_some(), "it is pinned");
}

#[tokio::test]
async fn the_same_key_makes_one_child() {
    let desk = Desk::new();
    let id = running(&desk).await.task.id;
    let key = |fingerprint: &str| Some(IdempotencyKey { key: "k".into(), fingerprint: fingerprint.into() });
    let first = desk.tasks.fork(&ada(), id, from(&turn(1)), key("a")).await.unwrap();
    let again = desk.tasks.fork(&ada(), id, from(&turn(1)), key("a")).await.unwrap();
    assert_eq!((first.replayed, again.replayed, again.view.task.id), (false, true, first.view.task.id));
    let error = desk.tasks.fork(&ada(), id, from(&turn(2)), key("b")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::IdempotencyKeyReused);
}

#[tokio::test]
async fn a_replay_has_every_result_and_only_of_an_ended_task() {
    let desk = Desk::new();
    let id = desk.submit().await.task.id;
    let mut claimed = desk.claim().await;
    desk.journal(
        &mut claimed,
        [asked(turn(0)), failed(called(turn(0).tool(0))), failed(asked(turn(1))), cut_off(asked(turn(2)))],
    )
    .await;
    let error = desk.tasks.replay_task(&ada(), id, None).await.unwrap_err();
    assert_eq!((error.code, error.reason), (ErrorCode::InvalidState, Some("not_ended")));
    desk.fail(claimed, FailureClass::ProviderError).await;
    let view = desk.tasks.replay_task(&ada(), id, None).await.unwrap().view;
    let line = view.task.options.origin.clone().unwrap();
    assert_eq!((line.replay, line.from_step, view.run.fork_step.as_ref()), (true, None, None));
    let steps = desk.tasks.steps(&ada(), view.task.id, None).await.unwrap();
    assert_eq!(steps.iter().map(|step| step.path.clone()).collect::<Vec<_>>(), [turn(0), turn(0).tool(0), turn(1)]);
    assert!(steps.iter().all(|step| step.input_hash == "abc"), "every input must be the same again");
    let event = desk.log(view.task.id).await.remove(0);
    let data: Value = serde_json::from_str(event.data.get()).unwrap();
    assert_eq!((event.kind, &data["origin"]["replay"], &data["steps_reused"]), (EventKind::TaskQueued, &json!(true), &json!(3)));
}
