use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::RunFiles;
use crewd_application::testing::llm::{Gate, ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::{FakeTool, ToolGate};
use crewd_domain::crews::AgentDefinition;
use crewd_domain::runs::{CancelMode, RunStatus, StepPath, StepStatus, WaitReason};
use crewd_domain::tools::EffectClass;
use serde_json::json;
use tokio::time::Instant;

use crate::testing::{Lab, agent, caller, crew, crew_with_tools, data, line, reference_crew, small_crew, task};

#[tokio::test(start_paused = true)]
async fn a_crew_of_one_task_runs_from_end_to_end() {
    let model = ScriptedModel::new([ScriptedTurn::text("Roses are red.")]);
    let lab = Lab::new(&model);
    let view = lab.complete(small_crew()).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    let expected = json!({"raw": "Roses are red.", "json": null, "tasks": [{"name": "rhyme", "agent": "poet", "raw": "Roses are red.", "json": null}]});
    assert_eq!(view.run.output, Some(expected.clone()));
    assert_eq!(
        (view.run.usage.input_tokens, view.run.usage.output_tokens, view.run.usage.llm_calls, view.run.steps_done),
        (10, 5, 1, 1)
    );
    let log = lab.log(view.task.id).await;
    let lines: Vec<String> = log.iter().map(line).collect();
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

#[tokio::test(start_paused = true)]
async fn a_replay_waits_for_no_place_in_the_minute() {
    let gate = Gate::new();
    let held = gate.clone();
    let model = ScriptedModel::from_fn(move |call, _| match call {
        2 => ScriptedTurn::text("three").held_at_start(&held),
        _ => ScriptedTurn::text("ok"),
    });
    let poet = AgentDefinition { max_rpm: Some(1), ..agent("poet") };
    let lab = Lab::new(&model);
    let id = lab.submit(crew([poet], ["one", "two", "three", "four"].map(|name| task(name, "poet")))).await;
    let first = lab.start();
    gate.arrived(1).await;
    first.shutdown.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    gate.open();
    first.stop().await;
    assert_eq!(model.calls(), 3);
    let start = Instant::now();
    let second = lab.start();
    let view = lab.end_of(id).await;
    second.stop().await;
    assert_eq!((view.run.status, view.run.usage.llm_calls), (RunStatus::Succeeded, 4));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let story = lab.story(id).await;
    assert_eq!(story.iter().filter(|line| *line == "task.resumed").count(), 1);
    assert_eq!(story.iter().filter(|line| line.starts_with("task.started")).count(), 1);
    assert!(!story.iter().any(|line| line.starts_with("step.restarted")), "{story:?}");
}

#[tokio::test(start_paused = true)]
async fn a_file_of_a_finished_task_is_not_written_again() {
    let gate = ToolGate::closed();
    let tool = Arc::new(FakeTool::new("search").held_at(&gate));
    let model = ScriptedModel::from_fn(|_, request| match (request.labels.agent.as_str(), request.messages.len()) {
        ("finder", _) => ScriptedTurn::text("Found."),
        (_, 2) => ScriptedTurn::tool_calls([("search", json!({}))]),
        _ => ScriptedTurn::text("Written."),
    });
    let mut definition = reference_crew();
    definition.agents[0].tools.clear();
    definition.agents[1].tools = vec!["search".into()];
    definition.tasks[0].output_file = Some("found.md".into());
    let lab = Lab::new(&model).with_tool(&tool);
    let id = lab.submit(definition).await;
    let first = lab.start();
    gate.wait_for_arrivals(1).await;
    let view = lab.tasks().get(&caller(), id).await.unwrap();
    // A tool changes the file, and the worker stops.
    lab.files.write(&view.task.tenant_id, view.run.id, "found.md", "changed".into(), true).await.unwrap();
    first.shutdown.cancel();
    gate.open();
    first.stop().await;
    let second = lab.start();
    lab.end_of(id).await;
    second.stop().await;
    let content = lab.files.content(&view.task.tenant_id, view.run.id, "found.md");
    assert_eq!(content.as_deref(), Some(b"changed".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_may_have_happened_is_not_repeated() {
    for effect in [EffectClass::Effectful, EffectClass::Keyed, EffectClass::Idempotent] {
        let gate = ToolGate::closed();
        let tool = Arc::new(FakeTool::new("search").with_effect(effect).held_at(&gate));
        let model = ScriptedModel::from_fn(|_, request| match request.messages.len() {
            2 => ScriptedTurn::tool_calls([("search", json!({}))]),
            _ => ScriptedTurn::text("ok"),
        });
        let mut lab = Lab::new(&model).with_tool(&tool);
        lab.settings.drain_timeout = Duration::from_secs(1);
        let id = lab.submit(crew_with_tools(&["search"])).await;
        let first = lab.start();
        gate.wait_for_arrivals(1).await;
        first.stop().await;
        gate.open();
        let second = lab.start();
        if effect == EffectClass::Effectful {
            let view = lab.parked(id).await;
            second.stop().await;
            assert_eq!((view.run.waiting_for, tool.calls().len()), (Some(WaitReason::Reconcile), 1));
            assert_eq!(lab.steps(&view).await.last().unwrap().status, StepStatus::OutcomeUnknown);
        } else {
            let view = lab.end_of(id).await;
            second.stop().await;
            assert_eq!((view.run.status, tool.calls().len(), view.run.crash_count), (RunStatus::Succeeded, 2, 0), "{effect:?}");
            let keys: Vec<_> = tool.calls().into_iter().map(|call| call.context.idempotency_key).collect();
            assert_eq!(keys[0], keys[1], "the same key for each attempt");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_journaled_with_another_input_is_never_taken() {
    let gate = Gate::new();
    let held = gate.clone();
    let model = ScriptedModel::from_fn(move |call, _| match call {
        1 => ScriptedTurn::text("two").held_at_start(&held),
        _ => ScriptedTurn::text("ok"),
    });
    let lab = Lab::new(&model);
    let id = lab.submit(crew([agent("poet")], ["one", "two", "three"].map(|name| task(name, "poet")))).await;
    let first = lab.start();
    gate.arrived(1).await;
    first.shutdown.cancel();
    gate.open();
    first.stop().await;
    lab.store.change_step(&StepPath::crew_task(0).agent().turn(0), |step| step.input_hash = "another".into());
    let second = lab.start();
    let view = lab.end_of(id).await;
    second.stop().await;
    let failure = view.run.error.unwrap();
    assert_eq!((view.run.status, failure.class.as_str()), (RunStatus::Failed, "journal_mismatch"));
    assert_eq!(failure.details["reason"], "journal_mismatch");
    assert_eq!(view.run.usage.llm_calls, 2, "what was used stays counted");
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_tool_is_gone_fails_before_any_call() {
    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::text("ok"));
    let lab = Lab::new(&model);
    let view = lab.complete(crew_with_tools(&["search"])).await;
    assert_eq!((view.run.status, model.calls()), (RunStatus::Failed, 0));
    let failure = view.run.error.unwrap();
    assert_eq!(failure.class.as_str(), "journal_mismatch");
    assert!(failure.message.contains("search"));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_after_a_change_of_hands_keeps_what_was_done_and_used() {
    let (first_gate, second_gate) = (Gate::new(), Gate::new());
    let held = [first_gate.clone(), second_gate.clone()];
    let model = ScriptedModel::from_fn(move |call, _| match call {
        1 => ScriptedTurn::text("two").held_at_start(&held[0]),
        2 => ScriptedTurn::text("three").held_at_start(&held[1]),
        _ => ScriptedTurn::text("one"),
    });
    let lab = Lab::new(&model);
    let id = lab.submit(crew([agent("poet")], ["one", "two", "three"].map(|name| task(name, "poet")))).await;
    let first = lab.start();
    first_gate.arrived(1).await;
    first.shutdown.cancel();
    first_gate.open();
    first.stop().await;
    let second = lab.start();
    second_gate.arrived(1).await;
    let answer = lab.tasks().cancel(&caller(), id, CancelMode::Immediate, Some("enough".into())).await.unwrap();
    assert!(!answer.was_terminal);
    let view = lab.end_of(id).await;
    second.stop().await;
    assert_eq!(view.run.status, RunStatus::Cancelled);
    assert_eq!(view.run.output.as_ref().unwrap()["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!((view.run.usage.llm_calls, view.run.steps_done), (3, 3));
    let cancel = view.run.cancel.unwrap();
    assert_eq!((cancel.actor.as_str(), cancel.reason.as_deref()), ("ada", Some("enough")));
    let story = lab.story(id).await;
    assert_eq!(story[story.len() - 3..], ["task.cancelling", "llm.failed crew_task[2].agent.turn[0]", "task.cancelled"]);
    assert_eq!(lab.tasks().cancel(&caller(), id, CancelMode::Immediate, None).await.unwrap().view.run.version, view.run.version);
}
