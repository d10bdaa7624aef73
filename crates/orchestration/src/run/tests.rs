use std::sync::Arc;

use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::FakeTool;
use crewd_domain::runs::RunStatus;
use serde_json::json;

use crate::testing::{Lab, data, reference_crew, small_crew};

#[tokio::test(start_paused = true)]
async fn a_crew_of_one_task_runs_from_end_to_end() {
    let model = ScriptedModel::new([ScriptedTurn::text("Roses are red.")]);
    let lab = Lab::new(&model);
    let view = lab.complete(small_crew()).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    let expected = json!({"raw": "Roses are red.", "json": null, "tasks": [{"name": "rhyme", "agent": "poet", "raw": "Roses are red.", "json": null}]});
    assert_eq!(view.run.output, Some(expected.clone()));
    assert_eq!((view.run.usage.input_tokens, view.run.usage.output_tokens, view.run.usage.llm_calls, view.run.steps_done), (10, 5, 1, 1));
    let log = lab.log(view.task.id).await;
    let lines: Vec<String> = log.iter().map(crate::testing::line).collect();
    assert_eq!(
        lines,
        [
            "task.queued",
            "task.started",
            "crew_task.started crew_task[0]",
            "agent.started crew_task[0].agent",
            "llm.started crew_task[0].agent.turn[0]",
            "llm.delta crew_task[0].agent.turn[0]",
            "llm.completed crew_task[0].agent.turn[0]",
            "agent.completed crew_task[0].agent",
            "crew_task.completed crew_task[0]",
            "task.succeeded",
        ]
    );
    assert_eq!(data(&log[5]), json!({"text": "Roses are red."}), "an answer that comes at once is one piece");
    assert_eq!(data(&log[9])["output"], expected);
    let published: Vec<u64> = lab.stream.published().iter().map(|event| event.seq).collect();
    assert_eq!(published, (1..=10).collect::<Vec<_>>(), "what is in the log was published, in its order");
}

#[tokio::test(start_paused = true)]
async fn the_reference_crew_uses_its_tools_and_hands_results_on() {
    let (search, check) = (Arc::new(FakeTool::new("search")), Arc::new(FakeTool::new("check")));
    let model = ScriptedModel::new([
        ScriptedTurn::tool_calls([("search", json!({"query": "tea"}))]),
        ScriptedTurn::text("Tea is a plant."),
        ScriptedTurn::tool_calls([("check", json!({}))]),
        ScriptedTurn::text("A text on tea."),
    ]);
    let lab = Lab::new(&model).with_tool(&search).with_tool(&check);
    let view = lab.complete(reference_crew()).await;
    assert_eq!(view.run.output.as_ref().map(|output| &output["raw"]), Some(&json!("A text on tea.")));
    assert_eq!((view.run.usage.llm_calls, view.run.usage.tool_calls, view.run.steps_done), (4, 2, 6));
    let crew_task = |index: usize| {
        let path = format!("crew_task[{index}]");
        vec![
            format!("crew_task.started {path}"),
            format!("agent.started {path}.agent"),
            format!("llm.started {path}.agent.turn[0]"),
            format!("llm.completed {path}.agent.turn[0]"),
            format!("tool.started {path}.agent.turn[0].tool[0]"),
            format!("tool.completed {path}.agent.turn[0].tool[0]"),
            format!("llm.started {path}.agent.turn[1]"),
            format!("llm.completed {path}.agent.turn[1]"),
            format!("agent.completed {path}.agent"),
            format!("crew_task.completed {path}"),
        ]
    };
    let expected = [vec!["task.queued".into(), "task.started".into()], crew_task(0), crew_task(1), vec!["task.succeeded".into()]];
    assert_eq!(lab.story(view.task.id).await, expected.concat());
    let requests = model.requests();
    assert_eq!(requests[1].messages[3].content, "result of search");
    assert!(requests[2].messages[1].content.ends_with("Tea is a plant."), "the writer sees what was found");
    assert_eq!(search.calls()[0].arguments, json!({"query": "tea"}).as_object().cloned().unwrap());
    assert_eq!(check.calls().len(), 1);
}
