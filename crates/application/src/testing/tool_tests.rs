use std::time::Duration;

use crewd_domain::runs::StepPath;
use crewd_domain::shared::{RunId, TaskId, TenantId};
use futures::FutureExt;

use super::*;
use crate::testing::ids::SequenceIds;

fn context() -> ToolCallContext {
    ToolCallContext {
        tenant: TenantId::default_tenant(),
        task_id: TaskId::new(SequenceIds::id(1)),
        run_id: RunId::new(SequenceIds::id(2)),
        step: StepPath::crew_task(0).agent().turn(0).tool(0),
        idempotency_key: "key".to_owned(),
        time_limit: Duration::from_secs(1),
    }
}

#[tokio::test]
async fn a_fake_answers_by_script_and_then_as_told() {
    let busy = ToolError::Failed("busy".to_owned());
    let tool = FakeTool::new("look_up").answering("found").scripted([Err(busy.clone())]);
    let arguments = Map::from_iter([("q".to_owned(), json!("x"))]);
    assert_eq!(tool.call(&context(), &arguments).await, Err(busy));
    assert_eq!(tool.call(&context(), &Map::new()).await.map(|output| output.text), Ok("found".to_owned()));
    assert_eq!(tool.calls().len(), 2);
    assert_eq!(tool.calls()[0].arguments, arguments);
}

#[tokio::test]
async fn a_gate_holds_calls_and_shows_that_they_run_at_once() {
    let gate = ToolGate::closed();
    let tools = [FakeTool::new("one").held_at(&gate), FakeTool::new("two").held_at(&gate)];
    let (arguments, context) = (Map::new(), context());
    let both = futures::future::join(tools[0].call(&context, &arguments), tools[1].call(&context, &arguments));
    let watcher = async {
        gate.wait_for_arrivals(2).await;
        assert_eq!((tools[0].finished(), tools[1].finished()), (0, 0));
        gate.open();
    };
    let ((one, two), ()) = futures::future::join(both, watcher).await;
    assert!(one.is_ok() && two.is_ok());
    assert_eq!((tools[0].finished(), tools[1].finished()), (1, 1));
}

#[tokio::test]
async fn a_dropped_call_is_recorded_and_never_finished() {
    let gate = ToolGate::closed();
    let tool = FakeTool::new("slow").held_at(&gate);
    assert!(tool.call(&context(), &Map::new()).now_or_never().is_none());
    gate.let_pass(1);
    assert_eq!((tool.calls().len(), tool.finished()), (1, 0));
    assert!(tool.call(&context(), &Map::new()).await.is_ok(), "the pass is for the next call");
    assert_eq!(tool.finished(), 1);
}

#[test]
fn a_set_hands_out_what_it_lists() {
    let closed = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let tool =
        Arc::new(FakeTool::new("one").with_parameters(closed).with_risk(RiskLevel::High).with_effect(EffectClass::Effectful));
    let tools = FakeToolSet::new().with(tool);
    check_tool_set(&tools);
    assert_eq!(tools.descriptors()[0].risk, RiskLevel::High);
}

#[test]
#[should_panic(expected = "unknown arguments of open are refused")]
fn an_open_schema_fails_the_check() {
    check_tool(&FakeTool::new("open"));
}
