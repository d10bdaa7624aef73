//! Runs that wait for people, and go on at exactly the place where they stopped.

use std::sync::Arc;

use crewd_application::ports::{ControlItem, ControlRequest, RunOrders};
use crewd_application::testing::llm::{Gate, ScriptedModel, ScriptedTurn};
use crewd_application::testing::tool::{FakeTool, ToolGate};
use crewd_domain::approvals::{ApprovalKind, Decision};
use crewd_domain::crews::{CrewDefinition, CrewTaskDefinition};
use crewd_domain::runs::{EventKind, RunStatus, StepPath, WaitReason};
use crewd_domain::shared::TaskId;
use crewd_domain::tools::{EffectClass, RiskLevel};
use serde_json::json;
use tokio::time::Duration;

use crate::testing::{Lab, agent, caller, crew, crew_with_tools, data, last, small_crew, task};

fn pays() -> ScriptedModel {
    ScriptedModel::from_fn(|_, request| match request.messages.len() {
        2 => ScriptedTurn::tool_calls([("pay", json!({"amount": 7}))]),
        _ => ScriptedTurn::text(format!("done: {}", last(request))),
    })
}

fn payment() -> Arc<FakeTool> {
    Arc::new(FakeTool::new("pay").with_risk(RiskLevel::Critical).with_effect(EffectClass::Effectful))
}

async fn asked(lab: &Lab) -> TaskId {
    let id = lab.submit(crew_with_tools(&["pay"])).await;
    let first = lab.start();
    let view = lab.parked(id).await;
    first.stop().await;
    assert_eq!((view.run.waiting_for, view.run.lease), (Some(WaitReason::Approval), None));
    id
}

#[tokio::test(start_paused = true)]
async fn an_approved_call_is_made_once_and_nothing_before_it_again() {
    let (tool, model) = (payment(), pays());
    let lab = Lab::new(&model).with_tool(&tool);
    let id = asked(&lab).await;
    assert_eq!((tool.calls().len(), model.requests().len()), (0, 1));
    let questions = lab.questions(id).await;
    let question = &questions[0];
    assert_eq!(
        (question.kind, &question.arguments, question.policy.as_str()),
        (ApprovalKind::Tool, &json!({"amount": 7}), "installation:medium")
    );
    lab.decide(question, Decision::Approve, |_| {}).await;
    let second = lab.start();
    let view = lab.end_of(id).await;
    second.stop().await;
    assert_eq!((view.run.status, tool.calls().len(), model.requests().len()), (RunStatus::Succeeded, 1, 2));
    let story = lab.story(id).await;
    for once in [
        "approval.requested crew_task[0].agent.turn[0].tool[0]",
        "task.waiting",
        "tool.started crew_task[0].agent.turn[0].tool[0]",
    ] {
        assert_eq!(story.iter().filter(|line| *line == once).count(), 1, "{once}: {story:?}");
    }
    let log = lab.log(id).await;
    let resumed = log.iter().find(|event| event.kind == EventKind::TaskResumed).unwrap();
    assert_eq!(data(resumed)["reason"], "approval");
}

#[tokio::test(start_paused = true)]
async fn a_rejection_is_read_by_the_model_and_an_edit_changes_the_arguments() {
    let (tool, model) = (payment(), pays());
    let lab = Lab::new(&model).with_tool(&tool);
    let rejected = asked(&lab).await;
    lab.decide(&lab.questions(rejected).await[0], Decision::Reject, |request| request.comment = Some("too much".into())).await;
    let edited = asked(&lab).await;
    lab.decide(&lab.questions(edited).await[0], Decision::Edit, |request| request.arguments = Some(json!({"amount": 1}))).await;
    let worker = lab.start();
    let view = lab.end_of(rejected).await;
    assert_eq!(view.run.output.unwrap()["raw"], "done: A person rejected it: too much");
    assert_eq!(lab.end_of(edited).await.run.status, RunStatus::Succeeded);
    worker.stop().await;
    let calls = tool.calls();
    assert_eq!((calls.len(), &calls[0].arguments["amount"]), (1, &json!(1)));
}

#[tokio::test(start_paused = true)]
async fn calls_that_need_nobody_are_made_before_the_run_waits() {
    let (pay, look) = (payment(), Arc::new(FakeTool::new("look")));
    let model = ScriptedModel::from_fn(|_, request| match request.messages.len() {
        2 => ScriptedTurn::tool_calls([("pay", json!({"amount": 7})), ("look", json!({}))]),
        _ => ScriptedTurn::text("ok"),
    });
    let lab = Lab::new(&model).with_tool(&pay).with_tool(&look);
    let id = lab.submit(crew_with_tools(&["pay", "look"])).await;
    let first = lab.start();
    lab.parked(id).await;
    first.stop().await;
    assert_eq!((pay.calls().len(), look.calls().len()), (0, 1));
    lab.decide(&lab.questions(id).await[0], Decision::Approve, |_| {}).await;
    let second = lab.start();
    assert_eq!(lab.end_of(id).await.run.status, RunStatus::Succeeded);
    second.stop().await;
    assert_eq!((pay.calls().len(), look.calls().len(), model.requests().len()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_person_says_what_became_of_a_lost_call() {
    for (decision, calls, answer) in [
        (Decision::Respond, 1, "done: receipt 9"),
        (Decision::Approve, 2, "done: result of pay"),
        (Decision::Reject, 1, "done: A person rejected it: no reason was given"),
    ] {
        let gate = ToolGate::closed();
        let tool = Arc::new(FakeTool::new("pay").with_effect(EffectClass::Effectful).held_at(&gate));
        let mut lab = Lab::new(&pays()).with_tool(&tool);
        lab.settings.drain_timeout = Duration::from_secs(1);
        let id = lab.submit(crew_with_tools(&["pay"])).await;
        let first = lab.start();
        gate.wait_for_arrivals(1).await;
        first.stop().await;
        let second = lab.start();
        lab.parked(id).await;
        gate.open();
        let questions = lab.questions(id).await;
        assert_eq!((questions.len(), questions[0].kind), (1, ApprovalKind::Reconcile));
        lab.decide(&questions[0], decision, |request| {
            request.response = (decision == Decision::Respond).then(|| json!("receipt 9"));
        })
        .await;
        let view = lab.end_of(id).await;
        second.stop().await;
        assert_eq!((view.run.output.unwrap()["raw"].as_str(), tool.calls().len()), (Some(answer), calls), "{decision:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_sends_an_answer_back_until_it_is_right() {
    let model = ScriptedModel::new([ScriptedTurn::text("Roses are red."), ScriptedTurn::text("Roses are blue.")]);
    let lab = Lab::new(&model);
    let reviewed = CrewTaskDefinition { human_input: true, ..task("rhyme", "poet") };
    let id = lab.submit(crew([agent("poet")], [reviewed])).await;
    let worker = lab.start();
    lab.parked(id).await;
    let first = lab.questions(id).await.remove(0);
    assert_eq!((first.kind, &first.arguments), (ApprovalKind::Question, &json!({"answer": "Roses are red."})));
    lab.decide(&first, Decision::Respond, |request| request.response = Some(json!("blue, please"))).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    lab.parked(id).await;
    let second = lab.questions(id).await.remove(0);
    assert_eq!(second.arguments, json!({"answer": "Roses are blue."}));
    assert!(last(&model.requests()[1]).contains("blue, please"));
    lab.decide(&second, Decision::Approve, |_| {}).await;
    let view = lab.end_of(id).await;
    worker.stop().await;
    assert_eq!((view.run.output.unwrap()["raw"].as_str(), model.requests().len()), (Some("Roses are blue."), 2));
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_after_the_step_it_was_told_and_goes_on_from_there() {
    let model = ScriptedModel::from_fn(|call, _| ScriptedTurn::text(format!("answer {call}")));
    let lab = Lab::new(&model);
    let two = crew([agent("poet")], [task("first", "poet"), task("second", "poet")]);
    let id = lab.submit(two).await;
    lab.change_run(id, |run| run.stop_after = Some(StepPath::crew_task(0))).await;
    let worker = lab.start();
    let view = lab.parked(id).await;
    assert_eq!((view.run.waiting_for, model.requests().len()), (Some(WaitReason::Operator), 1));
    lab.change_run(id, |run| {
        run.stop_after = None;
        run.wake(chrono::DateTime::UNIX_EPOCH).unwrap();
    })
    .await;
    assert_eq!(lab.end_of(id).await.run.status, RunStatus::Succeeded);
    worker.stop().await;
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_runs_that_do_the_same_come_to_the_same_state() {
    let mut hashes = Vec::new();
    for text in ["a", "a", "b"] {
        let view = Lab::new(&ScriptedModel::new([ScriptedTurn::text(text)])).complete(small_crew()).await;
        hashes.push(view.run.state_hash.unwrap());
    }
    assert_eq!(hashes[0], hashes[1]);
    assert_ne!(hashes[0], hashes[2]);
    let crew = CrewDefinition { description: Some("other".into()), ..small_crew() };
    let view = Lab::new(&ScriptedModel::new([ScriptedTurn::text("a")])).complete(crew).await;
    assert_eq!(view.run.state_hash.as_ref(), Some(&hashes[0]), "what is not said to the model changes nothing");
}

#[tokio::test(start_paused = true)]
async fn an_agent_asks_a_person_and_reads_the_answer() {
    let ask = Arc::new(FakeTool::new("ask_human"));
    let model = ScriptedModel::from_fn(|_, request| match request.messages.len() {
        2 => ScriptedTurn::tool_calls([("ask_human", json!({"question": "Tea or coffee?"}))]),
        _ => ScriptedTurn::text(format!("serve {}", last(request))),
    });
    let lab = Lab::new(&model).with_tool(&ask);
    let id = lab.submit(crew_with_tools(&["ask_human"])).await;
    let worker = lab.start();
    let view = lab.parked(id).await;
    assert_eq!(view.run.waiting_for, Some(WaitReason::Input));
    let question = lab.questions(id).await.remove(0);
    assert_eq!((question.question.as_deref(), question.kind), (Some("Tea or coffee?"), ApprovalKind::Question));
    lab.decide(&question, Decision::Respond, |request| request.response = Some(json!("tea"))).await;
    let view = lab.end_of(id).await;
    worker.stop().await;
    assert_eq!((view.run.output.unwrap()["raw"].as_str(), ask.calls().len()), (Some("serve tea"), 0));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_has_changed_meanwhile_is_a_mismatch() {
    let (tool, model) = (payment(), pays());
    let lab = Lab::new(&model).with_tool(&tool);
    let id = asked(&lab).await;
    lab.decide(&lab.questions(id).await[0], Decision::Approve, |_| {}).await;
    let schema = json!({"type": "object", "properties": {"amount": {"type": "integer"}}});
    let changed = Arc::new(FakeTool::new("pay").with_risk(RiskLevel::Critical).with_parameters(schema));
    let lab = lab.with_tool(&changed);
    let worker = lab.start();
    let view = lab.end_of(id).await;
    worker.stop().await;
    assert_eq!(view.run.error.unwrap().details["reason"], "journal_mismatch");
    assert_eq!((tool.calls().len(), changed.calls().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_during_the_last_call_is_heard_before_the_end() {
    let gate = Gate::new();
    let held = gate.clone();
    let model = ScriptedModel::from_fn(move |call, request| match call {
        0 => ScriptedTurn::text("first").held_at_start(&held),
        _ => ScriptedTurn::text(format!("heard: {}", last(request))),
    });
    let lab = Lab::new(&model);
    let id = lab.submit(small_crew()).await;
    let running = lab.start();
    gate.arrived(1).await;
    let run = lab.tasks().get(&caller(), id).await.unwrap().run;
    let request = ControlRequest::Message { text: "shorter, please".into(), actor: "ada".into() };
    let order = ControlItem { id: uuid::Uuid::from_u128(7), run_id: run.id, task_id: id, request };
    running.worker.give(&order);
    gate.open();
    let view = lab.end_of(id).await;
    running.stop().await;
    assert_eq!(view.run.output.unwrap()["raw"], "heard: shorter, please");
    assert_eq!(model.requests().len(), 2);
}
