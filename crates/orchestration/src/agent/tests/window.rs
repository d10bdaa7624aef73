//! Conversations that become longer than the model can read.

use std::sync::Arc;

use crewd_application::ports::{ModelErrorKind, Role};
use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::FakeTool;
use crewd_domain::crews::{CrewDefinition, LlmSettings};
use crewd_domain::runs::RunStatus;
use serde_json::json;

use crate::testing::{Lab, crew_with_tools, last};

/// A model that reads two thousand tokens, and a tool whose result fills most of them.
fn narrow_crew() -> CrewDefinition {
    let mut crew = crew_with_tools(&["read"]);
    crew.agents[0].llm = Some(LlmSettings { model: "small".into(), context_window: Some(2_000), ..LlmSettings::default() });
    crew
}

fn long_tool() -> Arc<FakeTool> {
    Arc::new(FakeTool::new("read").answering(&"fact ".repeat(1_500)))
}

fn script(first: usize) -> ScriptedModel {
    ScriptedModel::from_fn(move |call, request| match last(request) {
        text if text.starts_with("Summarise") => ScriptedTurn::text("Facts, in short."),
        text if text.contains("this is its summary") => ScriptedTurn::text("Done."),
        _ if call < first => ScriptedTurn::tool_calls([("read", json!({}))]),
        _ => ScriptedTurn::error(ModelErrorKind::ContextLength, "too long"),
    })
}

#[tokio::test(start_paused = true)]
async fn an_estimate_beyond_the_window_is_summarised_before_the_call() {
    let model = script(1);
    let lab = Lab::new(&model).with_tool(&long_tool());
    let view = lab.complete(narrow_crew()).await;
    assert_eq!(view.run.output.as_ref().unwrap()["raw"], "Done.");
    let requests = model.requests();
    assert!(requests[1].tools.is_empty(), "a summary needs no tools");
    let end = requests.last().unwrap();
    assert_eq!(end.messages.len(), 3, "instructions, task and summary");
    assert_eq!((end.messages[0].role, end.messages[1].content.starts_with("Do rhyme")), (Role::System, true));
    assert!(end.messages[2].content.contains("Facts, in short."));
    let steps = lab.steps(&view).await;
    assert_eq!(steps.len(), requests.len() + 1, "summaries are journaled calls");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_finds_it_too_long_gets_a_shorter_one_once() {
    let mut crew = narrow_crew();
    crew.agents[0].llm.as_mut().unwrap().context_window = Some(100_000);
    let model = script(1);
    let lab = Lab::new(&model).with_tool(&long_tool());
    let view = lab.complete(crew.clone()).await;
    assert_eq!(view.run.output.unwrap()["raw"], "Done.");
    assert_eq!(model.calls(), 4, "the tool call, the refusal, the summary, the answer");

    let model = ScriptedModel::from_fn(|_, request| match last(request) {
        text if text.starts_with("Summarise") => ScriptedTurn::text("Facts, in short."),
        _ => ScriptedTurn::error(ModelErrorKind::ContextLength, "too long"),
    });
    let view = Lab::new(&model).with_tool(&long_tool()).complete(crew).await;
    let failure = view.run.error.unwrap();
    assert_eq!((view.run.status, failure.details["kind"].as_str()), (RunStatus::Failed, Some("context_length")));
    assert_eq!(model.calls(), 2, "a task that is too long by itself is tried once more");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_respect_the_window_fails_with_it() {
    let mut crew = narrow_crew();
    crew.agents[0].respect_context_window = false;
    let model = script(1);
    let view = Lab::new(&model).with_tool(&long_tool()).complete(crew).await;
    assert_eq!((view.run.status, model.calls()), (RunStatus::Failed, 2));
    assert_eq!(view.run.error.unwrap().details["kind"], "context_length");
}

#[tokio::test(start_paused = true)]
async fn a_task_longer_than_the_window_keeps_its_ends() {
    let mut crew = narrow_crew();
    crew.tasks[0].description = format!("Begin. {} End.", "filler ".repeat(3_000));
    crew.tasks[0].expected_output = String::new();
    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::text("Done."));
    let view = Lab::new(&model).with_tool(&long_tool()).complete(crew).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    let task = model.requests()[0].messages[1].content.clone();
    assert!(task.starts_with("Begin.") && task.ends_with("End.") && task.contains("left out"), "{task}");
}

#[tokio::test(start_paused = true)]
async fn summaries_count_as_calls_a_minute() {
    let mut crew = narrow_crew();
    crew.agents[0].max_rpm = Some(1);
    let model = script(1);
    let start = tokio::time::Instant::now();
    Lab::new(&model).with_tool(&long_tool()).complete(crew).await;
    let minutes = model.calls() as u64 - 1;
    assert!(start.elapsed().as_secs() >= 60 * minutes, "{:?} for {} calls", start.elapsed(), model.calls());
}
