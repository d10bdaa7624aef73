use std::sync::{Arc, Mutex};

use crewd_application::ports::{CallLabels, LanguageModel, ModelErrorKind, ModelRequest};
use crewd_application::testing::llm::{Gate, ScriptedModel, ScriptedTurn, collect, run_suite, simple_request};
use crewd_telemetry::Metrics;
use futures::StreamExt;
use serde_json::json;
use tracing::span::{Attributes, Id};
use tracing::{Span, Subscriber, info_span};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::{Endpoint, LimitedModel, ObservedModel};

fn polite() -> ScriptedModel {
    ScriptedModel::from_fn(|_, request| match request.tools.first() {
        Some(tool) => ScriptedTurn::tool_calls([(tool.name.clone(), json!({"city": "Oslo"}))]),
        None => ScriptedTurn::text("Hello to you."),
    })
}

fn observed(inner: &ScriptedModel) -> (ObservedModel, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("0").expect("metrics"));
    let endpoint = Endpoint { provider: "fake".to_owned(), address: Some("example.org".to_owned()), port: Some(443) };
    (ObservedModel::new(Arc::new(inner.clone()), Arc::clone(&metrics), endpoint), metrics)
}

fn request() -> ModelRequest {
    let labels = CallLabels { agent: "writer".to_owned(), ..CallLabels::default() };
    ModelRequest { labels: Arc::new(labels), ..simple_request("Hi") }
}

#[tokio::test]
async fn layers_keep_the_promises_of_the_port() {
    let inner = polite();
    run_suite(&LimitedModel::new(Arc::new(inner.clone()), 1), || inner.calls()).await;
    let inner = polite();
    run_suite(&observed(&inner).0, || inner.calls()).await;
}

#[tokio::test]
async fn a_place_is_free_again_at_the_end_of_a_call() {
    let gate = Gate::new();
    let held = gate.clone();
    let inner = ScriptedModel::from_fn(move |_, _| ScriptedTurn::text("one two").held_at_end(&held));
    let model = LimitedModel::new(Arc::new(inner.clone()), 1);
    let first = tokio::spawn(collect(model.call(simple_request("a"))));
    gate.arrived(1).await;
    let mut second = model.call(simple_request("b"));
    assert!(futures::poll!(second.next()).is_pending());
    assert_eq!(inner.calls(), 1, "the second call waits");
    gate.open();
    assert!(first.await.expect("no panic").1.is_ok());
    assert!(collect(second).await.1.is_ok());
}

#[tokio::test]
async fn a_dropped_call_leaves_its_place_to_the_next_in_line() {
    let gate = Gate::new();
    let held = gate.clone();
    let inner = ScriptedModel::from_fn(move |_, _| ScriptedTurn::text("x").held_at_end(&held));
    let model = LimitedModel::new(Arc::new(inner.clone()), 1);
    let mut calls: Vec<_> = ["a", "b", "c"].map(|text| model.call(simple_request(text))).into_iter().collect();
    for call in &mut calls {
        // The first call gets its piece, the others get in line.
        let _ = futures::poll!(call.next());
    }
    gate.open();
    let (third, second) = (calls.remove(2), calls.remove(1));
    drop(calls);
    let (third, second) = (tokio::spawn(collect(third)), tokio::spawn(collect(second)));
    assert!(second.await.expect("no panic").1.is_ok() && third.await.expect("no panic").1.is_ok());
    let asked: Vec<String> = inner.requests().iter().map(|request| request.messages[0].content.clone()).collect();
    assert_eq!(asked, ["a", "b", "c"], "first come, first served");
}

#[tokio::test]
async fn calls_are_counted_by_how_they_end() {
    let inner = ScriptedModel::new([
        ScriptedTurn::text("Hello to you.").with_usage(30, 4),
        ScriptedTurn::error(ModelErrorKind::RateLimited, "slow down"),
        ScriptedTurn::cut_off("half"),
        ScriptedTurn::hang("half"),
    ]);
    let (model, metrics) = observed(&inner);
    assert!(collect(model.call(request())).await.1.is_ok());
    assert!(collect(model.call(request())).await.1.is_err());
    assert_eq!(model.call(request()).count().await, 1);
    let mut dropped = model.call(request());
    assert!(dropped.next().await.is_some());
    drop(dropped);
    drop(model.call(request()));
    let text = metrics.encode().expect("text");
    for line in [
        r#"llm_requests_total{model="scripted",status="ok"} 1"#,
        r#"llm_requests_total{model="scripted",status="rate_limited"} 1"#,
        r#"llm_requests_total{model="scripted",status="interrupted"} 1"#,
        r#"llm_requests_total{model="scripted",status="cancelled"} 1"#,
        r#"llm_tokens_total{model="scripted",type="input"} 30"#,
        r#"ai_token_usage_total{agent="writer",model="scripted",type="output"} 4"#,
        r#"llm_request_duration_seconds_count{model="scripted"} 4"#,
        r#"llm_time_to_first_token_seconds_count{model="scripted"} 3"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

/// Notes each span's name and its parent's.
#[derive(Clone, Default)]
struct SpanTree {
    spans: Arc<Mutex<Vec<NotedSpan>>>,
}

type NotedSpan = (&'static str, Option<&'static str>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanTree {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).and_then(|span| span.parent()).map(|parent| parent.name());
        self.spans.lock().expect("no panic").push((attributes.metadata().name(), parent));
    }
}

#[tokio::test]
async fn the_span_hangs_under_the_one_that_was_current_at_the_call() {
    let tree = SpanTree::default();
    let _default = tracing::subscriber::set_default(tracing_subscriber::registry().with(tree.clone()));
    let inner = polite();
    let (model, _) = observed(&inner);
    let agent = info_span!("agent");
    let call = agent.in_scope(|| model.call(request()));
    assert_eq!(tree.spans.lock().expect("no panic").len(), 1, "nothing happens before the first poll");
    assert!(collect(call).await.1.is_ok());
    let spans = tree.spans.lock().expect("no panic").clone();
    assert_eq!(spans, [("agent", None), ("chat", Some("agent"))]);
    assert!(Span::current().is_none(), "no span stays entered");
}
