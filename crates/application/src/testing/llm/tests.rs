use futures::StreamExt;
use serde_json::json;

use super::*;
use crate::ports::{LanguageModel, ModelDelta, ModelError, ModelErrorKind};

#[tokio::test]
async fn the_scripted_model_keeps_the_promises_of_the_port() {
    let model = ScriptedModel::from_fn(|_, request| match request.tools.first() {
        Some(tool) => ScriptedTurn::tool_calls([(tool.name.clone(), json!({"city": "Oslo by night"}))]),
        None => ScriptedTurn::text("Hello to you."),
    });
    run_suite(&model, || model.calls()).await;
    assert_eq!(model.abandoned(), 1);
}

#[tokio::test]
async fn turns_are_played_in_order_and_then_fail() {
    let model = ScriptedModel::new([ScriptedTurn::text("one"), ScriptedTurn::text("two").with_usage(3, 4)]);
    let first = collect(model.call(simple_request("a"))).await.1;
    assert_eq!(first.map(|response| response.text), Ok("one".to_owned()));
    let second = collect(model.call(simple_request("b"))).await.1.expect("an answer");
    assert_eq!((second.usage.input_tokens, second.usage.output_tokens), (3, 4));
    let third = collect(model.call(simple_request("c"))).await.1.expect_err("no turn is left");
    assert_eq!(third.kind, ModelErrorKind::InvalidRequest);
    let asked: Vec<String> = model.requests().iter().map(|request| request.messages[0].content.clone()).collect();
    assert_eq!(asked, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_failure_comes_after_its_text() {
    let error = ModelError::new(ModelErrorKind::Interrupted, "gone");
    let model = ScriptedModel::new([ScriptedTurn::text_then_error("half an", error.clone())]);
    let (pieces, outcome) = collect(model.call(simple_request("a"))).await;
    assert_eq!(pieces, [ModelDelta::Text("half ".to_owned()), ModelDelta::Text("an".to_owned())]);
    assert_eq!(outcome, Err(error));
}

#[tokio::test]
async fn a_cut_off_turn_ends_without_an_answer() {
    let model = ScriptedModel::new([ScriptedTurn::cut_off("half")]);
    let items: Vec<_> = model.call(simple_request("a")).collect().await;
    assert_eq!(items, [Ok(ModelDelta::Text("half".to_owned()))]);
}

#[tokio::test]
async fn a_gate_holds_a_call_until_it_is_opened() {
    let gate = Gate::new();
    let model = ScriptedModel::new([ScriptedTurn::text("late").held_at_start(&gate)]);
    let call = tokio::spawn(collect(model.call(simple_request("a"))));
    gate.arrived(1).await;
    assert!(!call.is_finished());
    gate.open();
    assert!(call.await.expect("the call ends").1.is_ok());
}

#[tokio::test]
async fn a_dropped_call_counts_as_abandoned() {
    let model = ScriptedModel::new([ScriptedTurn::hang("half")]);
    let mut stream = model.call(simple_request("a"));
    assert!(stream.next().await.is_some());
    drop(stream);
    assert_eq!((model.calls(), model.abandoned()), (1, 1));
}
