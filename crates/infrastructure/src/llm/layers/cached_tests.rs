use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{
    CallLabels, FinishReason, LanguageModel, Message, ModelDelta, ModelRequest, ModelResponse, Role, Sampling, ToolChoice,
};
use crewd_application::testing::cache::InMemoryCache;
use crewd_application::testing::limiter::InMemoryPlaces;
use crewd_application::testing::llm::{Gate, ScriptedModel, ScriptedTurn, collect, run_suite, simple_request, weather_tool};
use crewd_domain::shared::{TenantId, Usage};
use futures::StreamExt;
use serde_json::json;

use super::{CachedModel, SharedLimitModel};

const TTL: Duration = Duration::from_secs(60);

fn polite() -> ScriptedModel {
    ScriptedModel::from_fn(|call, request| match request.tools.first() {
        Some(tool) => ScriptedTurn::tool_calls([(tool.name.clone(), json!({"city": "Oslo"}))]),
        None => ScriptedTurn::text(format!("Hello {call}.")),
    })
}

fn cached(inner: &ScriptedModel, cache: &Arc<InMemoryCache>) -> CachedModel {
    CachedModel::new(Arc::new(inner.clone()), cache.clone(), TTL, "fake".to_owned())
}

fn of(tenant: &str, request: ModelRequest) -> ModelRequest {
    let tenant = Some(TenantId::try_from(tenant.to_owned()).unwrap());
    ModelRequest { labels: Arc::new(CallLabels { tenant, ..CallLabels::default() }), ..request }
}

/// The answer, once all that is kept in the background is kept.
async fn ask(model: &CachedModel, request: ModelRequest) -> (Vec<ModelDelta>, ModelResponse) {
    let (pieces, answer) = collect(model.call(request)).await;
    tokio::task::yield_now().await;
    (pieces, answer.expect("an answer"))
}

#[tokio::test]
async fn layers_keep_the_promises_of_the_port() {
    let inner = polite();
    run_suite(&cached(&inner, &Arc::default()), || inner.calls()).await;
    let inner = polite();
    let places = Arc::new(InMemoryPlaces::default());
    run_suite(&SharedLimitModel::new(Arc::new(inner.clone()), places, 1), || inner.calls()).await;
}

#[tokio::test]
async fn the_same_question_has_the_same_answer_and_costs_nothing() {
    let (inner, cache) = (polite(), Arc::default());
    let model = cached(&inner, &cache);
    for question in [simple_request("Hi"), ModelRequest { tools: Arc::from([weather_tool()]), ..simple_request("Hi") }] {
        let calls = inner.calls();
        let (first_pieces, first) = ask(&model, of("one", question.clone())).await;
        let (pieces, again) = ask(&model, of("one", question.clone())).await;
        assert_eq!(inner.calls(), calls + 1, "the model was asked once");
        assert!(!first.cached && again.cached);
        assert_eq!(again.usage, Usage::default());
        assert_eq!((&again.text, &again.tool_calls, again.finish_reason), (&first.text, &first.tool_calls, first.finish_reason));
        assert_eq!(said(&pieces), said(&first_pieces), "the stream says the same");
        let (silent, _) = ask(&model, of("one", ModelRequest { stream: false, ..question })).await;
        assert!(silent.is_empty(), "who wants no stream gets none");
        assert_eq!(inner.calls(), calls + 1);
    }
}

fn said(pieces: &[ModelDelta]) -> (String, String) {
    let (mut text, mut calls) = (String::new(), String::new());
    for piece in pieces {
        match piece {
            ModelDelta::Text(more) => text.push_str(more),
            ModelDelta::ToolCall { name, arguments, .. } => calls.extend([name.as_str(), arguments.as_str()]),
            ModelDelta::Reasoning(_) | ModelDelta::Finished(_) => {}
        }
    }
    (text, calls)
}

#[tokio::test]
async fn whatever_the_answer_depends_on_is_part_of_the_question() {
    let (inner, cache) = (polite(), Arc::default());
    let model = cached(&inner, &cache);
    let question = || simple_request("Hi");
    let sampling = |change: fn(&mut Sampling)| {
        let mut request = question();
        change(&mut request.sampling);
        request
    };
    let mut longer = question();
    longer.messages.push(Message::text(Role::User, "More"));
    let mut described = weather_tool();
    described.description.push('!');
    let questions = [
        of("one", question()),
        of("other", question()),
        of("one", simple_request("hi")),
        of("one", longer),
        of("one", ModelRequest { model: Some("another".to_owned()), ..question() }),
        of("one", ModelRequest { tool_choice: ToolChoice::None, ..question() }),
        of("one", ModelRequest { tools: Arc::from([weather_tool()]), ..question() }),
        of("one", ModelRequest { tools: Arc::from([described]), ..question() }),
        of("one", sampling(|sampling| sampling.temperature = Some(0.0))),
        of("one", sampling(|sampling| sampling.top_p = Some(0.5))),
        of("one", sampling(|sampling| sampling.max_tokens = Some(7))),
        of("one", sampling(|sampling| sampling.seed = Some(7))),
        of("one", sampling(|sampling| sampling.stop = vec!["end".to_owned()])),
    ];
    for (place, question) in questions.iter().enumerate() {
        ask(&model, question.clone()).await;
        assert_eq!(inner.calls(), place + 1, "{question:?} is another question");
    }
    for question in questions {
        assert!(ask(&model, question).await.1.cached);
    }
    let elsewhere = CachedModel::new(Arc::new(inner.clone()), cache.clone(), TTL, "other".to_owned());
    assert!(!ask(&elsewhere, of("one", question())).await.1.cached, "another provider");
}

#[tokio::test]
async fn some_answers_are_not_kept() {
    let inner = ScriptedModel::from_fn(|_, request| match request.messages[0].content.as_str() {
        "cut" => ScriptedTurn::response(ModelResponse { finish_reason: FinishReason::Length, ..blank() }),
        _ => ScriptedTurn::response(blank()),
    });
    let model = cached(&inner, &Arc::default());
    let lively = Sampling { temperature: Some(0.7), ..Sampling::default() };
    for request in [
        of("one", simple_request("cut")),
        of("one", ModelRequest { sampling: lively, ..simple_request("lively") }),
        simple_request("of nobody"),
    ] {
        for _ in 0..2 {
            assert!(!ask(&model, request.clone()).await.1.cached, "{request:?}");
        }
    }
    assert_eq!(inner.calls(), 6);
}

fn blank() -> ModelResponse {
    serde_json::from_value(json!({"id": "", "model": "m", "text": "x", "finish_reason": "stop", "usage": Usage::default()}))
        .expect("an answer")
}

#[tokio::test(start_paused = true)]
async fn places_are_shared_by_all_processes() {
    let gate = Gate::new();
    let held = gate.clone();
    let inner = ScriptedModel::from_fn(move |_, _| ScriptedTurn::text("one two").held_at_end(&held));
    let places = InMemoryPlaces::default();
    let [one, other] = [(); 2].map(|()| SharedLimitModel::new(Arc::new(inner.clone()), Arc::new(places.clone()), 1));
    let first = tokio::spawn(collect(one.call(simple_request("a"))));
    gate.arrived(1).await;
    let mut second = other.call(simple_request("b"));
    assert!(tokio::time::timeout(TTL, second.next()).await.is_err(), "the place is taken");
    assert_eq!(inner.calls(), 1);
    gate.open();
    assert!(first.await.expect("no panic").1.is_ok());
    assert!(collect(second).await.1.is_ok());
    let dropped = one.call(simple_request("c"));
    drop(dropped);
    assert!(collect(other.call(simple_request("d"))).await.1.is_ok());
}
