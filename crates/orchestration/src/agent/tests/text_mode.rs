//! Tool calls in text.

use std::sync::Arc;

use crewd_application::ports::{ModelErrorKind, Role};
use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::FakeTool;
use crewd_domain::crews::{CrewDefinition, LlmSettings};
use crewd_domain::runs::RunStatus;
use serde_json::json;

use crate::testing::{Lab, crew_with_tools, last};

fn text_crew() -> CrewDefinition {
    let mut crew = crew_with_tools(&["search"]);
    crew.agents[0].llm = Some(LlmSettings { model: "old".into(), native_tools: Some(false), ..LlmSettings::default() });
    crew
}

#[tokio::test(start_paused = true)]
async fn actions_in_text_are_carried_out_and_observed() {
    let tool = Arc::new(FakeTool::new("search").answering("42 results"));
    let model = ScriptedModel::new([
        ScriptedTurn::text(
            "Thought: look\nAction: search\nAction Input: {\"q\": \"tea\"}\nObservation: invented\nFinal Answer: wrong",
        ),
        ScriptedTurn::text("Thought: I know the answer\nFinal Answer: Tea is green."),
    ]);
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(text_crew()).await;
    assert_eq!(view.run.output.as_ref().unwrap()["raw"], "Tea is green.");
    assert_eq!(tool.calls()[0].arguments["q"], "tea");
    let requests = model.requests();
    assert!(requests[0].tools.is_empty(), "the provider is not told of tools");
    assert!(requests[0].messages[0].content.contains("- search: "), "the model is, in text");
    assert_eq!(requests[0].sampling.stop, ["\nObservation:"], "the model may not go on and invent a result");
    let conversation: Vec<_> = requests[1].messages[2..].iter().map(|m| (m.role, m.content.as_str())).collect();
    assert_eq!(
        conversation,
        [
            (Role::Assistant, "Thought: look\nAction: search\nAction Input: {\"q\": \"tea\"}"),
            (Role::User, "Observation: 42 results")
        ]
    );
    assert!(lab.story(view.task.id).await.contains(&"tool.completed crew_task[0].agent.turn[0].tool[0]".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_action_that_was_not_carried_out_is_never_an_answer_and_repairs_are_bounded() {
    let tool = Arc::new(FakeTool::new("search"));
    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::text("Final Answer: I would\nAction: search"));
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(text_crew()).await;
    assert_eq!((view.run.status, view.run.error.unwrap().code.as_str()), (RunStatus::Failed, "provider_failed"));
    assert_eq!((model.calls(), tool.calls().len()), (4, 0), "one answer and three repairs");
    assert!(last(&model.requests()[1]).contains("not carried out"));

    let model = ScriptedModel::new([
        ScriptedTurn::text("Final Answer: I would\nAction: search"),
        ScriptedTurn::text("Final Answer: Green."),
    ]);
    let view = Lab::new(&model).with_tool(&tool).complete(text_crew()).await;
    assert_eq!(view.run.output.unwrap()["raw"], "Green.", "a repaired answer is one");
}

#[tokio::test(start_paused = true)]
async fn an_action_in_the_text_of_a_native_model_is_carried_out_as_well() {
    let tool = Arc::new(FakeTool::new("search"));
    let model = ScriptedModel::new([ScriptedTurn::text("Action: search\nAction Input: {}"), ScriptedTurn::text("done")]);
    let view = Lab::new(&model).with_tool(&tool).complete(crew_with_tools(&["search"])).await;
    assert_eq!((view.run.status, tool.calls().len()), (RunStatus::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_refuses_tools_is_asked_in_text() {
    let model = ScriptedModel::from_fn(|_, request| match request.tools.len() {
        1 => ScriptedTurn::error(ModelErrorKind::InvalidRequest, "This model does not support tools."),
        _ if last(request).starts_with("Observation") => ScriptedTurn::text("Final Answer: Green."),
        _ => ScriptedTurn::text("Action: search\nAction Input: {}"),
    });
    let tool = Arc::new(FakeTool::new("search"));
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(crew_with_tools(&["search"])).await;
    assert_eq!(
        view.run.output.unwrap(),
        json!({"raw": "Green.", "json": null, "tasks": [{"name": "rhyme", "agent": "poet", "raw": "Green.", "json": null}]})
    );
    assert_eq!((model.calls(), tool.calls().len()), (3, 1));
}
