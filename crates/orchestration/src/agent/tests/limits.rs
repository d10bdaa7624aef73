//! Calls a minute, time and tokens.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::runs::SubmitTask;
use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::FakeTool;
use crewd_domain::crews::{AgentDefinition, CrewDefinition};
use crewd_domain::runs::{Budget, CancelMode, IncompleteReason, RunStatus, StepStatus};
use serde_json::json;
use tokio::time::Instant;

use crate::testing::{Lab, agent, caller, crew, crew_with_tools, small_crew, task};

fn two_tasks(poet: AgentDefinition) -> CrewDefinition {
    crew([poet], [task("one", "poet"), task("two", "poet")])
}

fn answering() -> ScriptedModel {
    ScriptedModel::from_fn(|_, _| ScriptedTurn::text("ok"))
}

#[tokio::test(start_paused = true)]
async fn an_agents_calls_a_minute_count_through_all_its_tasks() {
    let lab = Lab::new(&answering());
    let start = Instant::now();
    lab.complete(two_tasks(AgentDefinition { max_rpm: Some(1), ..agent("poet") })).await;
    let took = start.elapsed();
    assert!((Duration::from_secs(60)..Duration::from_secs(62)).contains(&took), "{took:?}");

    let start = Instant::now();
    lab.complete(two_tasks(AgentDefinition { max_rpm: Some(2), ..agent("poet") })).await;
    assert!(start.elapsed() < Duration::from_secs(2), "both calls fit into the first minute");
}

#[tokio::test(start_paused = true)]
async fn a_crews_calls_a_minute_count_for_all_its_agents() {
    let lab = Lab::new(&answering());
    let definition = crew([agent("a"), agent("b")], [task("one", "a"), task("two", "b")]);
    let start = Instant::now();
    lab.complete(CrewDefinition { max_rpm: Some(1), ..definition }).await;
    assert!(start.elapsed() >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn the_wait_for_a_place_can_be_cancelled_and_shows_how_far_the_run_is() {
    let lab = Lab::new(&answering());
    let id = lab.submit(two_tasks(AgentDefinition { max_rpm: Some(1), ..agent("poet") })).await;
    let running = lab.start();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(lab.story(id).await.contains(&"crew_task.completed crew_task[0]".to_owned()));
    let start = Instant::now();
    lab.tasks().cancel(&caller(), id, CancelMode::Graceful, None).await.unwrap();
    let view = lab.end_of(id).await;
    assert_eq!(view.run.status, RunStatus::Cancelled);
    assert_eq!(view.run.output.unwrap()["raw"], "ok", "what was done is kept");
    assert!(start.elapsed() < Duration::from_secs(1));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_agents_time_limit_ends_a_hanging_call() {
    let model = ScriptedModel::new([ScriptedTurn::hang("so far ")]);
    let lab = Lab::new(&model);
    let start = Instant::now();
    let view =
        lab.complete(crew([AgentDefinition { max_execution_time: Some(5), ..agent("poet") }], [task("rhyme", "poet")])).await;
    assert_eq!((view.run.status, view.run.error.as_ref().unwrap().code.as_str()), (RunStatus::Failed, "timeout"));
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(view.run.output.as_ref().unwrap()["raw"], "so far ");
    assert_eq!(model.abandoned(), 1, "the connection is closed");
    let steps = lab.steps(&view).await;
    assert_eq!((steps.len(), steps[0].status), (1, StepStatus::Failed), "no step of an ended run is left open");
    let story = lab.story(view.task.id).await;
    assert_eq!(story[story.len() - 2..], ["llm.failed crew_task[0].agent.turn[0]", "task.failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_silent_is_given_up_after_its_time() {
    let model = ScriptedModel::new([ScriptedTurn::hang("")]);
    let lab = Lab::new(&model);
    let start = Instant::now();
    let view = lab.complete(small_crew()).await;
    assert_eq!((view.run.status, start.elapsed().as_secs()), (RunStatus::Failed, 60));
    let failure = view.run.error.unwrap();
    assert_eq!((failure.code.as_str(), failure.details["kind"].as_str()), ("timeout", Some("timeout")));
}

#[tokio::test(start_paused = true)]
async fn used_up_tokens_leave_the_run_incomplete_with_what_was_done() {
    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::text("a part").with_usage(300, 300));
    let lab = Lab::new(&model);
    let crew = crew([agent("poet")], ["one", "two", "three"].map(|name| task(name, "poet")));
    let name = lab.catalog.put(crew).definition.name.clone();
    let budget = Budget { max_tokens: Some(1_000) };
    let id = lab.submit_task(SubmitTask { crew: name, budget, ..SubmitTask::default() }).await;
    let running = lab.start();
    let view = lab.end_of(id).await;
    running.stop().await;
    assert_eq!((view.run.status, view.run.incomplete), (RunStatus::Incomplete, Some(IncompleteReason::Tokens)));
    assert_eq!(model.calls(), 2, "600, then 1,200 tokens: nothing begins beyond the budget");
    let failure = view.run.error.unwrap();
    assert_eq!((failure.code.as_str(), &failure.details["used"]), ("budget_exceeded", &json!(1_200)));
    assert_eq!(view.run.output.unwrap()["tasks"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(start_paused = true)]
async fn no_tool_begins_beyond_the_budget() {
    let tool = Arc::new(FakeTool::new("search"));
    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::tool_calls([("search", json!({}))]).with_usage(600, 0));
    let mut lab = Lab::new(&model).with_tool(&tool);
    lab.limits.max_tokens = 500;
    let view = lab.complete(crew_with_tools(&["search"])).await;
    assert_eq!((view.run.status, tool.calls().len()), (RunStatus::Incomplete, 0));
}

#[tokio::test(start_paused = true)]
async fn the_runs_deadline_leaves_it_incomplete_with_the_partial_text() {
    let model = ScriptedModel::new([ScriptedTurn::text("first part"), ScriptedTurn::hang("and then ")]);
    let lab = Lab::new(&model);
    let name = lab.catalog.put(two_tasks(agent("poet"))).definition.name.clone();
    let id = lab.submit_task(SubmitTask { crew: name, deadline_seconds: Some(10), ..SubmitTask::default() }).await;
    let running = lab.start();
    let start = Instant::now();
    let view = lab.end_of(id).await;
    running.stop().await;
    assert_eq!((view.run.status, view.run.incomplete), (RunStatus::Incomplete, Some(IncompleteReason::Deadline)));
    assert_eq!((start.elapsed().as_secs(), view.run.error.unwrap().code.as_str()), (10, "timeout"));
    let output = view.run.output.unwrap();
    assert_eq!((&output["raw"], &output["tasks"][0]["raw"]), (&json!("and then "), &json!("first part")));
    assert_eq!(model.abandoned(), 1);
}
