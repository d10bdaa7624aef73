//! Tool calls of a turn.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use crewd_application::ports::{ModelResponse, RunQueries, Tool, ToolCall, ToolCallContext, ToolError, ToolOutput};
use crewd_application::testing::llm::{ScriptedModel, ScriptedTurn};
use crewd_application::testing::memory::InMemoryStore;
use crewd_application::testing::tool::{FakeTool, ToolGate};
use crewd_domain::runs::{RunStatus, StepStatus};
use crewd_domain::tools::ToolDescriptor;
use serde_json::{Map, Value, json};

use crate::testing::{Lab, crew_with_tools, data, last, response};

fn strict(name: &str) -> FakeTool {
    FakeTool::new(name).with_parameters(json!({
        "type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": false
    }))
}

#[tokio::test(start_paused = true)]
async fn calls_of_one_turn_run_at_the_same_time_and_answer_in_their_order() {
    let gate = ToolGate::closed();
    let slow = Arc::new(FakeTool::new("slow").held_at(&gate));
    let quick = Arc::new(FakeTool::new("quick"));
    let model = ScriptedModel::new([
        ScriptedTurn::tool_calls([("slow", json!({"n": 1})), ("quick", json!({})), ("slow", json!({"n": 2}))]),
        ScriptedTurn::text("done"),
    ]);
    let lab = Lab::new(&model).with_tool(&slow).with_tool(&quick);
    let id = lab.submit(crew_with_tools(&["slow", "quick"])).await;
    let running = lab.start();
    gate.wait_for_arrivals(2).await;
    assert_eq!((slow.calls().len(), slow.finished()), (2, 0), "both wait at the same time");
    gate.open();
    let view = lab.end_of(id).await;
    running.stop().await;
    assert_eq!(view.run.usage.tool_calls, 3);
    let messages = &model.requests()[1].messages;
    let answers: Vec<_> = messages[3..].iter().map(|m| (m.tool_call_id.as_deref().unwrap(), m.content.as_str())).collect();
    assert_eq!(answers, [("call_0", "result of slow"), ("call_1", "result of quick"), ("call_2", "result of slow")]);
    assert_eq!(messages[2].tool_calls.len(), 3);
    let story = lab.story(id).await;
    let started: Vec<_> = story.iter().filter(|line| line.starts_with("tool.started")).cloned().collect();
    assert_eq!(started, [0, 1, 2].map(|index| format!("tool.started crew_task[0].agent.turn[0].tool[{index}]")));
    let quick_first = story.iter().find(|line| line.starts_with("tool.completed")).unwrap();
    assert!(quick_first.ends_with("tool[1]"), "a result is written as it comes: {story:?}");
}

/// Looks into the journal when it is called.
struct Witness {
    descriptor: ToolDescriptor,
    store: Arc<InMemoryStore>,
    seen: Mutex<Vec<usize>>,
}

#[async_trait]
impl Tool for Witness {
    fn descriptor(&self) -> &ToolDescriptor {
        &self.descriptor
    }

    async fn call(&self, context: &ToolCallContext, _: &Map<String, Value>) -> Result<ToolOutput, ToolError> {
        let steps = self.store.steps(&context.tenant, context.run_id).await.unwrap();
        let intents =
            steps.iter().filter(|step| step.path.as_str().contains("tool") && step.status == StepStatus::Started).count();
        self.seen.lock().unwrap().push(intents);
        Ok(ToolOutput { text: "seen".into() })
    }
}

#[tokio::test(start_paused = true)]
async fn all_intents_of_a_turn_are_in_the_journal_before_the_first_act() {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_calls([("witness", json!({})), ("witness", json!({}))]),
        ScriptedTurn::text("done"),
    ]);
    let mut lab = Lab::new(&model);
    let descriptor = FakeTool::new("witness").descriptor().clone();
    let witness = Arc::new(Witness { descriptor, store: lab.store.clone(), seen: Mutex::default() });
    lab.tools = lab.tools.with(witness.clone());
    lab.complete(crew_with_tools(&["witness"])).await;
    assert_eq!(*witness.seen.lock().unwrap(), [2, 2]);
}

#[tokio::test(start_paused = true)]
async fn wrong_arguments_are_told_to_the_model_and_the_tool_is_not_called() {
    let model = ScriptedModel::new([
        ScriptedTurn::tool_calls([("read", json!({"path": 7, "more": true}))]),
        ScriptedTurn::tool_calls([("read", json!([]))]),
        ScriptedTurn::tool_calls([("read", json!({"path": "a"}))]),
        ScriptedTurn::text("done"),
    ]);
    let tool = Arc::new(strict("read"));
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(crew_with_tools(&["read"])).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    assert_eq!(tool.calls().len(), 1);
    let requests = model.requests();
    assert!(last(&requests[1]).contains("/path") && last(&requests[1]).contains("more"), "{}", last(&requests[1]));
    assert!(last(&requests[2]).contains("do not fit"), "{}", last(&requests[2]));
    let log = lab.log(view.task.id).await;
    let failed = log.iter().find(|event| event.kind.as_str() == "tool.failed").unwrap();
    assert_eq!(data(failed)["error"]["kind"], "tool_arguments_invalid");
}

#[tokio::test(start_paused = true)]
async fn arguments_that_are_no_json_are_told_as_well() {
    let call = ToolCall { id: "call".into(), name: "read".into(), arguments: "{\"path\": ".into() };
    let broken = ScriptedTurn::response(ModelResponse { tool_calls: vec![call], ..response("") });
    let model = ScriptedModel::new([broken, ScriptedTurn::text("done")]);
    let lab = Lab::new(&model).with_tool(&Arc::new(strict("read")));
    assert_eq!(lab.complete(crew_with_tools(&["read"])).await.run.status, RunStatus::Succeeded);
    assert!(last(&model.requests()[1]).contains("not JSON"));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_goes_on_with_wrong_arguments_is_stopped() {
    let model = ScriptedModel::from_fn(|_, _| ScriptedTurn::tool_calls([("read", json!({}))]));
    let tool = Arc::new(strict("read"));
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(crew_with_tools(&["read"])).await;
    let failure = view.run.error.unwrap();
    assert_eq!((view.run.status, failure.class.as_str()), (RunStatus::Failed, "tool_error"));
    assert_eq!(failure.details["reason"], "tool_arguments_invalid");
    assert_eq!((model.calls(), tool.calls().len()), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_tool_is_told_with_the_names_there_are() {
    let model = ScriptedModel::new([ScriptedTurn::tool_calls([("web", json!({}))]), ScriptedTurn::text("done")]);
    let lab = Lab::new(&model).with_tool(&Arc::new(strict("read"))).with_tool(&Arc::new(FakeTool::new("web")));
    let view = lab.complete(crew_with_tools(&["read"])).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    let told = last(&model.requests()[1]).to_owned();
    assert!(
        told.contains("no tool named web") && told.contains("read"),
        "a tool of the installation that is not the agent's: {told}"
    );
    assert_eq!(lab.steps(&view).await[1].error.as_ref().unwrap().code, "unknown_tool");
}

#[tokio::test(start_paused = true)]
async fn a_long_result_is_cut_with_a_notice_in_log_journal_and_conversation() {
    let tool = Arc::new(FakeTool::new("read").answering(&"字".repeat(30_000)));
    let model = ScriptedModel::new([ScriptedTurn::tool_calls([("read", json!({}))]), ScriptedTurn::text("done")]);
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(crew_with_tools(&["read"])).await;
    let told = last(&model.requests()[1]).to_owned();
    assert!(told.ends_with("20000 of 30000 characters are shown]"));
    let log = lab.log(view.task.id).await;
    let completed = data(log.iter().find(|event| event.kind.as_str() == "tool.completed").unwrap());
    assert_eq!((&completed["truncated"], completed["output"].as_str()), (&json!(true), Some(told.as_str())));
    assert_eq!(lab.steps(&view).await[1].output, Some(json!({"text": told})));
}

#[tokio::test(start_paused = true)]
async fn a_failing_tool_is_told_to_the_model_and_ends_nothing() {
    let errors = [ToolError::Failed("the disk is gone".into()), ToolError::Denied("not yours".into())];
    let tool = Arc::new(FakeTool::new("read").scripted(errors.map(Err)));
    let model =
        ScriptedModel::new([ScriptedTurn::tool_calls([("read", json!({})), ("read", json!({}))]), ScriptedTurn::text("done")]);
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(crew_with_tools(&["read"])).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    let messages = &model.requests()[1].messages;
    assert_eq!((messages[3].content.as_str(), messages[4].content.as_str()), ("the disk is gone", "not yours"));
    let codes: Vec<_> = lab.steps(&view).await.into_iter().filter_map(|step| step.error.map(|error| error.code)).collect();
    assert_eq!(codes, ["tool_failed", "tool_denied"]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_hangs_is_given_up_after_its_time() {
    let tool = Arc::new(FakeTool::new("read").held_at(&ToolGate::closed()));
    let model = ScriptedModel::new([ScriptedTurn::tool_calls([("read", json!({}))]), ScriptedTurn::text("done")]);
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(crew_with_tools(&["read"])).await;
    assert_eq!(view.run.status, RunStatus::Succeeded);
    assert_eq!(last(&model.requests()[1]), "The tool did not answer within 30 s.");
    assert_eq!(tool.finished(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_tool_learns_on_whose_behalf_it_is_called() {
    let tool = Arc::new(FakeTool::new("read"));
    let model =
        ScriptedModel::new([ScriptedTurn::tool_calls([("read", json!({})), ("read", json!({}))]), ScriptedTurn::text("done")]);
    let lab = Lab::new(&model).with_tool(&tool);
    let view = lab.complete(crew_with_tools(&["read"])).await;
    let calls = tool.calls();
    assert_eq!((calls[0].context.task_id, calls[0].context.run_id), (view.task.id, view.run.id));
    assert_eq!(calls[0].context.step.as_str(), "crew_task[0].agent.turn[0].tool[0]");
    assert_ne!(calls[0].context.idempotency_key, calls[1].context.idempotency_key);
    assert_eq!(calls[0].context.time_limit, lab.limits.tool_time);
}

#[tokio::test(start_paused = true)]
async fn tools_of_a_task_replace_those_of_its_agent() {
    let model = ScriptedModel::new([ScriptedTurn::text("done")]);
    let lab = Lab::new(&model).with_tool(&Arc::new(FakeTool::new("read"))).with_tool(&Arc::new(FakeTool::new("web")));
    let mut crew = crew_with_tools(&["read"]);
    crew.tasks[0].tools = Some(vec!["web".into()]);
    lab.complete(crew).await;
    let names: Vec<String> = model.requests()[0].tools.iter().map(|tool| tool.name.clone()).collect();
    assert_eq!(names, ["web"]);
}
