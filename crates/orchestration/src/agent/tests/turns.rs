//! From the first turn to an answer.

use std::sync::Arc;

use crewd_application::ports::{ModelError, ModelErrorKind, ModelResponse, ToolChoice};
use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::FakeTool;
use crewd_domain::crews::{AgentDefinition, CrewDefinition, LlmSettings};
use crewd_domain::runs::{IncompleteReason, RunStatus};
use serde_json::json;

use crate::testing::{Lab, agent, crew, crew_with_tools, last, response, small_crew, task};

/// A model that calls a tool whenever it may, and otherwise says this.
fn eager(otherwise: &'static str) -> ScriptedModel {
    ScriptedModel::from_fn(move |_, request| match request.tool_choice {
        ToolChoice::Auto => ScriptedTurn::tool_calls([("search", json!({}))]),
        ToolChoice::None => ScriptedTurn::text(otherwise),
    })
}

fn short_crew() -> CrewDefinition {
    let searcher = AgentDefinition { tools: vec!["search".into()], max_iter: 2, ..agent("poet") };
    crew([searcher], [task("rhyme", "poet")])
}

#[tokio::test(start_paused = true)]
async fn after_the_last_turn_one_call_without_tools_demands_an_answer() {
    let model = eager("What I know.");
    let lab = Lab::new(&model).with_tool(&Arc::new(FakeTool::new("search")));
    let view = lab.complete(short_crew()).await;
    assert_eq!(view.run.output.unwrap()["raw"], "What I know.");
    let choices: Vec<ToolChoice> = model.requests().iter().map(|request| request.tool_choice).collect();
    assert_eq!(choices, [ToolChoice::Auto, ToolChoice::Auto, ToolChoice::None]);
    assert!(last(&model.requests()[2]).contains("used all your turns"));
}

#[tokio::test(start_paused = true)]
async fn a_demanded_answer_that_never_comes_leaves_the_run_incomplete() {
    let model = eager("Action: search\nAction Input: {}");
    let lab = Lab::new(&model).with_tool(&Arc::new(FakeTool::new("search")));
    let view = lab.complete(short_crew()).await;
    assert_eq!((view.run.status, view.run.incomplete), (RunStatus::Incomplete, Some(IncompleteReason::Steps)));
    assert_eq!(view.run.error.unwrap().code, "provider_failed");
    assert_eq!(model.calls(), 6, "two turns, the demand and three repairs");
}

#[tokio::test(start_paused = true)]
async fn the_installations_limit_of_turns_goes_before_the_agents() {
    let model = eager("Enough.");
    let mut lab = Lab::new(&model).with_tool(&Arc::new(FakeTool::new("search")));
    lab.limits.max_iterations = 1;
    let view = lab.complete(short_crew()).await;
    assert_eq!((view.run.status, model.calls()), (RunStatus::Succeeded, 2));
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_sent_back_a_few_times() {
    let model = ScriptedModel::new([ScriptedTurn::text(" \n"), ScriptedTurn::text("Better.")]);
    let lab = Lab::new(&model);
    assert_eq!(lab.complete(small_crew()).await.run.output.unwrap()["raw"], "Better.");
    assert!(last(&model.requests()[1]).contains("empty"));

    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::text(""));
    let view = Lab::new(&model).complete(small_crew()).await;
    assert_eq!((view.run.status, view.run.error.unwrap().code.as_str()), (RunStatus::Failed, "provider_failed"));
    assert_eq!(model.calls(), 4, "one answer and three repairs");
}

#[tokio::test(start_paused = true)]
async fn the_system_prompt_can_be_left_out() {
    let model = ScriptedModel::new([ScriptedTurn::text("ok")]);
    let lab = Lab::new(&model);
    lab.complete(crew([AgentDefinition { use_system_prompt: false, ..agent("poet") }], [task("rhyme", "poet")])).await;
    let messages = &model.requests()[0].messages;
    assert_eq!(messages.len(), 1);
    assert!(messages[0].content.starts_with("You are The poet.") && messages[0].content.contains("Do rhyme"));
}

#[tokio::test(start_paused = true)]
async fn what_a_call_asks_for_comes_from_the_definition() {
    let model = ScriptedModel::new([ScriptedTurn::text("ok")]);
    let lab = Lab::new(&model).with_tool(&Arc::new(FakeTool::new("search")));
    let llm = LlmSettings {
        model: "qwen/qwen-max".into(),
        temperature: Some(0.5),
        max_tokens: Some(7),
        stop: vec!["END".into()],
        seed: Some(3),
        stream: Some(false),
        ..Default::default()
    };
    let mut definition = crew_with_tools(&["search"]);
    definition.agents[0].llm = Some(llm);
    definition.agents[0].max_tokens = Some(9);
    lab.complete(definition).await;
    let request = &model.requests()[0];
    assert_eq!(request.model.as_deref(), Some("qwen/qwen-max"));
    assert_eq!((request.sampling.temperature, request.sampling.seed, request.stream), (Some(0.5), Some(3), false));
    assert_eq!(request.sampling.max_tokens, Some(9), "an agent's own max_tokens goes first");
    assert_eq!(request.sampling.stop, ["END"]);
    assert_eq!(request.tools.len(), 1);
    assert_eq!(request.time_limit, lab.limits.model_time);
    assert_eq!((request.labels.agent.as_str(), request.labels.task_description.as_str()), ("poet", "Do rhyme"));
}

#[tokio::test(start_paused = true)]
async fn a_providers_error_ends_the_run_with_its_kind_and_the_text_so_far() {
    for (kind, code, class) in [
        (ModelErrorKind::Unauthorized, "provider_failed", "provider_error"),
        (ModelErrorKind::RateLimited, "provider_failed", "provider_error"),
        (ModelErrorKind::Timeout, "timeout", "timeout"),
        (ModelErrorKind::UnknownModel, "validation_failed", "user_error"),
    ] {
        let error = ModelError { status: Some(429), ..ModelError::new(kind, "no") };
        let model = ScriptedModel::new([ScriptedTurn::text_then_error("Half an", error)]);
        let lab = Lab::new(&model);
        let view = lab.complete(small_crew()).await;
        assert_eq!(view.run.status, RunStatus::Failed);
        let failure = view.run.error.clone().unwrap();
        assert_eq!((failure.code.as_str(), failure.class.as_str()), (code, class));
        assert_eq!((&failure.details["kind"], &failure.details["provider_status"]), (&json!(kind.as_str()), &json!(429)));
        assert_eq!(view.run.output.as_ref().unwrap()["raw"], "Half an");
        assert_eq!(view.run.usage.llm_calls, 1, "a failed call is a call");
        let steps = lab.steps(&view).await;
        assert_eq!(steps[0].output, Some(json!({"partial_text": "Half an"})));
        let story = lab.story(view.task.id).await;
        assert_eq!(story[story.len() - 2..], ["llm.failed crew_task[0].agent.turn[0]", "task.failed"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_a_failure_with_its_text_kept() {
    let model = ScriptedModel::new([ScriptedTurn::cut_off("Half an")]);
    let view = Lab::new(&model).complete(small_crew()).await;
    let failure = view.run.error.unwrap();
    assert_eq!((failure.details["kind"].as_str(), failure.retryable), (Some("interrupted"), true));
    assert_eq!(view.run.output.unwrap()["raw"], "Half an");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_simulated_says_so_on_the_run() {
    let model =
        ScriptedModel::simulated(|_, _| ScriptedTurn::response(ModelResponse { simulated: true, ..response("Simulated.") }));
    assert!(Lab::new(&model).complete(small_crew()).await.run.simulated);
    let model = ScriptedModel::new([ScriptedTurn::text("Real.")]);
    assert!(!Lab::new(&model).complete(small_crew()).await.run.simulated);
}
