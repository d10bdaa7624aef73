//! Spans as a collector gets them.

use std::time::Duration;

use opentelemetry::trace::{SpanId, SpanKind, Status};
use opentelemetry::{Array, Value};
use opentelemetry_sdk::trace::SpanData;
use tracing::{error, info, info_span};

use crate::gen_ai::{self, ChatRequest, ChatResponse, TokenUsage};
use crate::test_support::{Captured, Setup, seconds};
use crate::trace_context::{self, TraceContext};

fn attribute(span: &SpanData, name: &str) -> Option<Value> {
    span.attributes.iter().find(|attribute| attribute.key.as_str() == name).map(|attribute| attribute.value.clone())
}

fn demo_crew() -> Captured {
    Setup::exporting(1.0).capture(|| {
        let workflow = gen_ai::workflow_span("research");
        gen_ai::record_conversation(&workflow, "task-1");
        let _workflow = workflow.enter();
        let agent = gen_ai::agent_span("writer", "writer");
        let _agent = agent.enter();
        let chat = gen_ai::chat_span(&ChatRequest {
            model: "qwen-plus",
            provider: "dashscope",
            stream: true,
            temperature: Some(0.5),
            max_tokens: Some(100),
            server_address: Some("dashscope.aliyuncs.com"),
            server_port: Some(443),
        });
        let usage = TokenUsage { input: 120, output: 30, cached_input: Some(20), reasoning_output: None };
        gen_ai::record_usage(&chat, &usage);
        gen_ai::record_response(
            &chat,
            &ChatResponse {
                id: Some("c-1"),
                model: Some("qwen-plus-2026"),
                finish_reason: Some("tool_calls"),
                time_to_first_chunk: Some(Duration::from_millis(250)),
            },
        );
        drop(chat);
        let tool = gen_ai::tool_span("file_read", "call-1");
        gen_ai::record_error(&tool, "not_found");
    })
}

#[test]
fn the_span_tree_of_a_crew_is_one_connected_trace() {
    let captured = demo_crew();
    let names: Vec<_> = captured.spans().iter().map(|span| span.name.to_string()).collect();
    assert_eq!(names, ["chat qwen-plus", "execute_tool file_read", "invoke_agent writer", "invoke_workflow research"]);
    let (workflow, agent) = (captured.span("invoke_workflow research"), captured.span("invoke_agent writer"));
    assert_eq!(workflow.parent_span_id, SpanId::INVALID);
    assert_eq!(agent.parent_span_id, workflow.span_context.span_id());
    for child in ["chat qwen-plus", "execute_tool file_read"] {
        assert_eq!(captured.span(child).parent_span_id, agent.span_context.span_id());
    }
    assert!(captured.spans().iter().all(|span| span.span_context.trace_id() == workflow.span_context.trace_id()));
    assert!(seconds(workflow.start_time, workflow.end_time) > seconds(agent.start_time, agent.end_time));
}

#[test]
fn a_chat_span_says_what_the_conventions_ask() {
    let captured = demo_crew();
    let chat = captured.span("chat qwen-plus");
    assert_eq!(chat.span_kind, SpanKind::Client);
    assert_eq!(chat.status, Status::Unset);
    for (name, value) in [
        ("gen_ai.operation.name", Value::from("chat")),
        ("gen_ai.provider.name", Value::from("dashscope")),
        ("gen_ai.request.model", Value::from("qwen-plus")),
        ("gen_ai.request.stream", Value::from(true)),
        ("gen_ai.request.temperature", Value::from(0.5)),
        ("gen_ai.request.max_tokens", Value::from(100)),
        ("server.address", Value::from("dashscope.aliyuncs.com")),
        ("server.port", Value::from(443)),
        ("gen_ai.usage.input_tokens", Value::from(120)),
        ("gen_ai.usage.output_tokens", Value::from(30)),
        ("gen_ai.usage.cache_read.input_tokens", Value::from(20)),
        ("gen_ai.response.id", Value::from("c-1")),
        ("gen_ai.response.model", Value::from("qwen-plus-2026")),
        ("gen_ai.response.time_to_first_chunk", Value::from(0.25)),
        ("gen_ai.response.finish_reasons", Value::Array(Array::String(vec!["tool_calls".into()]))),
    ] {
        assert_eq!(attribute(&chat, name), Some(value), "{name}");
    }
    assert_eq!(attribute(&chat, "gen_ai.usage.reasoning.output_tokens"), None);
    assert!(chat.attributes.iter().all(|attribute| !attribute.key.as_str().starts_with("otel.")));
}

#[test]
fn workflow_agent_and_tool_have_their_names() {
    let captured = demo_crew();
    let tool = captured.span("execute_tool file_read");
    assert_eq!(attribute(&tool, "gen_ai.tool.type"), Some(Value::from("function")));
    assert_eq!(attribute(&tool, "gen_ai.tool.call.id"), Some(Value::from("call-1")));
    assert_eq!(attribute(&tool, "error.type"), Some(Value::from("not_found")));
    assert_eq!(tool.status, Status::error(""));
    let workflow = captured.span("invoke_workflow research");
    assert_eq!(attribute(&workflow, "gen_ai.workflow.name"), Some(Value::from("research")));
    assert_eq!(attribute(&workflow, "gen_ai.conversation.id"), Some(Value::from("task-1")));
    assert_eq!(attribute(&captured.span("invoke_agent writer"), "gen_ai.agent.id"), Some(Value::from("writer")));
}

#[test]
fn callers_decide_about_sampling_and_else_the_share_does() {
    for (header, exported) in [("01", 1), ("00", 0)] {
        let parent = TraceContext::parse(&format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{header}"));
        let share = if exported == 1 { 0.0 } else { 1.0 };
        let captured = Setup::exporting(share).capture(|| {
            let span = info_span!("http");
            trace_context::set_parent(&span, &parent.expect("a context"));
        });
        assert_eq!(captured.spans().len(), exported);
        if let Some(span) = captured.spans().first() {
            assert!(span.parent_span_is_remote);
            assert_eq!(span.parent_span_id.to_string(), "00f067aa0ba902b7");
            assert_eq!(span.span_context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        }
    }
    assert_eq!(Setup::exporting(0.0).capture(|| drop(info_span!("new"))).spans().len(), 0);
}

#[test]
fn events_go_with_their_span_without_secrets() {
    let captured = Setup::exporting(1.0).capture(|| {
        let span = info_span!("work", password = "hunter2horse", otel.kind = "server", otel.status_code = "OK");
        let _span = span.enter();
        info!(attempt = 2, "began with sk-hunter2horse");
        for _ in 0..200 {
            info!("again");
        }
    });
    let span = captured.span("work");
    assert_eq!(span.span_kind, SpanKind::Server);
    assert_eq!(span.status, Status::Ok);
    assert_eq!(span.events[0].name, "began with [redacted]");
    assert_eq!((span.events.len(), span.events.dropped_count), (128, 73));
    assert_eq!(attribute(&span, "password"), Some(Value::from("[redacted]")));
}

#[test]
fn an_error_inside_fails_the_span() {
    let captured = Setup::exporting(1.0).capture(|| {
        info_span!("work").in_scope(|| error!("broken"));
        drop(info_span!("told", otel.status_code = "ERROR", otel.status_description = "why", big = u64::MAX));
    });
    assert_eq!(captured.span("work").status, Status::error(""));
    assert_eq!(captured.span("told").status, Status::error("why"));
    assert_eq!(attribute(&captured.span("told"), "big"), Some(Value::from("18446744073709551615")));
}
