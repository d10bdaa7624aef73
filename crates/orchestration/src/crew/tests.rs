use std::sync::Arc;
use std::time::Duration;

use crewd_application::testing::llm::{Gate, ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::{FakeTool, ToolGate};
use crewd_domain::crews::{AgentDefinition, ContextRule, CrewDefinition, CrewTaskDefinition};
use crewd_domain::runs::{CancelMode, RunStatus, StepStatus};
use crewd_domain::tools::EffectClass;
use serde_json::json;

use crate::testing::{Lab, agent, caller, crew, last, task};

/// Answers with the name of the task it is asked for: "Do one" gives "ONE".
fn echo() -> ScriptedModel {
    ScriptedModel::from_fn(|_, request| ScriptedTurn::text(asked(&request.labels.task_description).to_uppercase()))
}

fn asked(description: &str) -> &str {
    description.trim_start_matches("Do ").split(' ').next().unwrap_or_default()
}

fn asynchronous(name: &str) -> CrewTaskDefinition {
    CrewTaskDefinition { async_execution: true, ..task(name, name) }
}

fn own_agents(tasks: Vec<CrewTaskDefinition>) -> CrewDefinition {
    let agents: Vec<AgentDefinition> = tasks.iter().map(|task| agent(&task.agent)).collect();
    crew(agents, tasks)
}

#[tokio::test(start_paused = true)]
async fn each_task_gets_the_context_its_definition_asks_for() {
    let model = echo();
    let mut three = task("three", "three");
    three.context = ContextRule::Only(vec!["one".into()]);
    let mut four = task("four", "four");
    four.context = ContextRule::Nothing;
    let lab = Lab::new(&model);
    lab.complete(own_agents(vec![task("one", "one"), task("two", "two"), three, four, task("five", "five")])).await;
    let seen: Vec<String> = model
        .requests()
        .iter()
        .map(|request| last(request).split_once("to work with:\n").map_or("", |(_, context)| context).to_owned())
        .collect();
    let divider = "\n\n----------\n\n";
    let all = ["ONE", "TWO", "THREE", "FOUR"].join(divider);
    assert_eq!(seen, ["", "ONE", "ONE", "", &all]);
}

#[tokio::test(start_paused = true)]
async fn asynchronous_neighbours_run_together_and_are_joined_before_the_next() {
    let gate = Gate::new();
    let held = gate.clone();
    let model = ScriptedModel::from_fn(move |_, request| {
        let turn = ScriptedTurn::text(asked(&request.labels.task_description).to_uppercase());
        if request.labels.agent == "end" { turn } else { turn.held_at_start(&held) }
    });
    let mut end = task("end", "end");
    end.context = ContextRule::Only(vec!["left".into(), "right".into()]);
    let lab = Lab::new(&model);
    let id = lab.submit(own_agents(vec![asynchronous("left"), asynchronous("right"), end])).await;
    let running = lab.start();
    gate.arrived(2).await;
    assert_eq!(model.calls(), 2, "both are under way, and nothing else is");
    gate.open();
    let view = lab.end_of(id).await;
    running.stop().await;
    assert!(last(&model.requests()[2]).ends_with("LEFT\n\n----------\n\nRIGHT"));
    let output = view.run.output.unwrap();
    let names: Vec<_> = output["tasks"].as_array().unwrap().iter().map(|task| task["name"].clone()).collect();
    assert_eq!(names, ["left", "right", "end"], "the output keeps the order of the crew");
}

#[tokio::test(start_paused = true)]
async fn an_asynchronous_task_without_context_sees_nothing() {
    let model = echo();
    let lab = Lab::new(&model);
    let view = lab.complete(own_agents(vec![task("one", "one"), asynchronous("two"), task("three", "three")])).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    assert!(!last(&model.requests()[1]).contains("ONE"));
    assert!(last(&model.requests()[2]).ends_with("ONE"), "and is not seen by a task that does not name it");
}

#[tokio::test(start_paused = true)]
async fn a_failing_neighbour_ends_the_others_and_closes_their_steps() {
    let model = ScriptedModel::from_fn(|_, request| match request.labels.agent.as_str() {
        "bad" => ScriptedTurn::error(crewd_application::ports::ModelErrorKind::Unauthorized, "no key"),
        _ => ScriptedTurn::hang("still "),
    });
    let lab = Lab::new(&model);
    let view = lab.complete(own_agents(vec![asynchronous("good"), asynchronous("bad")])).await;
    assert_eq!((view.run.status, model.abandoned()), (RunStatus::Failed, 1));
    assert_eq!(view.run.error.as_ref().unwrap().message, "no key");
    let steps = lab.steps(&view).await;
    assert!(steps.iter().all(|step| step.status == StepStatus::Failed), "{steps:?}");
    assert_eq!(steps[0].error.as_ref().unwrap().details["kind"], "cut_off");
    assert_eq!(view.run.steps_done, 2);
}

/// One task holds at the gate with an effectful tool while its neighbour comes to a step boundary.
async fn half_way(lab: &Lab, gate: &Arc<ToolGate>) -> crewd_domain::shared::TaskId {
    let mut definition = own_agents(vec![asynchronous("left"), asynchronous("right")]);
    for agent in &mut definition.agents {
        agent.tools = vec!["send".into()];
    }
    let id = lab.submit(definition).await;
    gate.wait_for_arrivals(1).await;
    id
}

fn sending() -> (ScriptedModel, Gate) {
    let gate = Gate::new();
    let held = gate.clone();
    let model = ScriptedModel::from_fn(move |_, request| {
        let called = request.messages.len() > 2;
        match (request.labels.agent.as_str(), called) {
            (_, true) => ScriptedTurn::text("sent"),
            ("left", _) => ScriptedTurn::tool_calls([("send", json!({}))]),
            _ => ScriptedTurn::tool_calls([("send", json!({}))]).held_at_start(&held),
        }
    });
    (model, gate)
}

#[tokio::test(start_paused = true)]
async fn an_order_to_stop_lets_every_neighbour_finish_its_step() {
    for drained in [false, true] {
        let (model, second_call) = sending();
        let gate = ToolGate::closed();
        let send = Arc::new(FakeTool::new("send").with_effect(EffectClass::Effectful).held_at(&gate));
        let lab = Lab::new(&model).with_tool(&send);
        let running = lab.start();
        let id = half_way(&lab, &gate).await;
        if drained {
            running.shutdown.cancel();
        } else {
            lab.tasks().cancel(&caller(), id, CancelMode::Graceful, None).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        // The right one hears the order at its step boundary, while the left one is still sending.
        second_call.open();
        tokio::time::sleep(Duration::from_millis(500)).await;
        gate.open();
        if drained {
            running.stop().await;
            let other = lab.start();
            let view = lab.end_of(id).await;
            other.stop().await;
            assert_eq!(view.run.status, RunStatus::Succeeded);
            assert_eq!(send.calls().len(), 2, "nothing is sent twice");
            assert_eq!(model.abandoned(), 0);
        } else {
            let view = lab.end_of(id).await;
            running.stop().await;
            assert_eq!(view.run.status, RunStatus::Cancelled);
            assert_eq!((send.finished(), model.calls()), (1, 2), "what was going on is finished, nothing else begins");
            assert!(lab.steps(&view).await.iter().all(|step| step.status == StepStatus::Succeeded));
        }
    }
}

fn with_file(file: &str) -> CrewDefinition {
    let written = CrewTaskDefinition { output_file: Some(file.into()), ..task("rhyme", "poet") };
    crew([agent("poet")], [written])
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_to_its_file() {
    let model = ScriptedModel::new([ScriptedTurn::text("Roses")]);
    let lab = Lab::new(&model);
    let view = lab.complete(with_file(" out/rhyme.md\n")).await;
    let content = lab.files.content(&view.task.tenant_id, view.run.id, "out/rhyme.md");
    assert_eq!(content.as_deref(), Some(b"Roses".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_cannot_be_written_fails_the_run_with_the_answer_kept() {
    let refused = |file: &'static str, full: bool, folder: bool| async move {
        let lab = Lab::new(&ScriptedModel::new([ScriptedTurn::text("Roses")]));
        lab.files.set_disk_full(full);
        let mut definition = with_file(file);
        definition.tasks[0].create_directory = folder;
        let view = lab.complete(definition).await;
        assert_eq!(view.run.status, RunStatus::Failed);
        assert_eq!(view.run.output.unwrap()["raw"], "Roses");
        assert!(!lab.story(view.task.id).await.contains(&"crew_task.completed crew_task[0]".to_owned()));
        view.run.error.unwrap()
    };
    let missing = refused("no/rhyme.md", false, false).await;
    assert_eq!((missing.class.as_str(), missing.code.as_str()), ("user_error", "validation_failed"));
    assert!(missing.message.contains("output_file of rhyme"), "{}", missing.message);
    let outside = refused("../rhyme.md", false, true).await;
    assert_eq!(outside.class.as_str(), "user_error");
    let full = refused("rhyme.md", true, true).await;
    assert_eq!((full.class.as_str(), full.message.contains("full")), ("internal", false), "the cause is for the log alone");
}

fn with_schema() -> CrewDefinition {
    let schema = json!({"type": "object", "properties": {"stars": {"type": "integer"}}, "required": ["stars"]});
    let structured =
        CrewTaskDefinition { output_json: Some(schema), output_file: Some("a.json".into()), ..task("rate", "critic") };
    crew([agent("critic")], [structured])
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_fit_its_schema_is_mended() {
    let model = ScriptedModel::new([
        ScriptedTurn::text("Five stars!"),
        ScriptedTurn::text("{\"stars\": \"five\"}"),
        ScriptedTurn::text("```json\n{\"stars\": 5}\n```"),
    ]);
    let lab = Lab::new(&model);
    let view = lab.complete(with_schema()).await;
    let output = view.run.output.as_ref().unwrap();
    assert_eq!((&output["json"], &output["tasks"][0]["json"]), (&json!({"stars": 5}), &json!({"stars": 5})));
    let requests = model.requests();
    assert!(requests[0].response_format.is_none() && requests[1].response_format.is_some());
    assert!(last(&requests[1]).contains("not JSON"), "{}", last(&requests[1]));
    assert!(last(&requests[2]).contains("/stars"), "the model is told where: {}", last(&requests[2]));
    let content = lab.files.content(&view.task.tenant_id, view.run.id, "a.json");
    assert_eq!(content.as_deref(), Some(b"{\n  \"stars\": 5\n}".as_slice()), "the file holds the JSON itself");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_fits_fails_the_run_after_three_repairs() {
    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::text("Five stars!"));
    let view = Lab::new(&model).complete(with_schema()).await;
    assert_eq!((view.run.status, model.calls()), (RunStatus::Failed, 4));
    assert_eq!(view.run.output.unwrap()["raw"], "Five stars!", "what there is is kept");
    let failure = view.run.error.unwrap();
    assert_eq!((failure.code.as_str(), &failure.details["reason"]), ("provider_failed", &json!("output_schema_mismatch")));
}

#[tokio::test(start_paused = true)]
async fn placeholders_are_filled_in_and_values_never_read_again() {
    let model = echo();
    let lab = Lab::new(&model);
    let mut definition = own_agents(vec![task("poem", "poet")]);
    definition.agents[0].goal = "Write about {topic}".into();
    definition.tasks[0].description = "Do {topic} in {style}".into();
    definition.inputs.insert("style".into(), json!("haiku"));
    let name = lab.catalog.put(definition).definition.name.clone();
    let inputs = json!({"topic": "{style} tea"}).as_object().cloned().unwrap();
    let id = lab.submit_task(crewd_application::runs::SubmitTask { crew: name, inputs, ..Default::default() }).await;
    let running = lab.start();
    lab.end_of(id).await;
    running.stop().await;
    let request = &model.requests()[0];
    assert!(request.messages[0].content.contains("Write about {style} tea"));
    assert!(request.messages[1].content.starts_with("Do {style} tea in haiku"));
}
