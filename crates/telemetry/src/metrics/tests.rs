//! Names, labels and bounds of the metrics.

use super::label_guard::LabelGuard;
use super::{HintWay, LlmCall, Metrics};

const NAMES: &[&str] = &[
    "ai_token_usage_total",
    "ai_task_queue_depth",
    "ai_agent_error_total",
    "crew_execution_seconds",
    "llm_requests_total",
    "llm_request_duration_seconds",
    "llm_tokens_total",
    "llm_time_to_first_token_seconds",
    "http_requests_total",
    "http_request_duration_seconds",
    "db_pool_connections",
    "crewd_duty_leader",
    "redis_up",
    "redis_hints_total",
    "notify_up",
    "notify_hints_total",
    "crewd_webhook_deliveries_total",
    "crewd_build_info",
];

fn filled() -> Metrics {
    let metrics = Metrics::new("1.2.3").expect("metrics");
    metrics.record_http("GET", "/api/v1/tasks/{id}", 200, 0.004);
    metrics.record_llm(&LlmCall {
        model: "qwen-plus",
        agent: "writer",
        status: "ok",
        seconds: 1.5,
        input_tokens: 120,
        output_tokens: 30,
        seconds_to_first_token: Some(0.2),
    });
    metrics.record_agent_error("writer", "tool_error");
    metrics.record_crew("research", "succeeded", 12.0);
    metrics.set_queue_depth(7);
    metrics.set_pool_connections("idle", 3);
    metrics.set_duty_leader("runs", true);
    metrics.set_redis_up(true);
    metrics.count_hints(HintWay::Redis, "sent", 2);
    metrics.set_notify_up(true);
    metrics.count_hints(HintWay::Notify, "heard", 3);
    metrics.record_webhook_delivery("delivered");
    metrics
}

#[test]
fn every_name_is_there_from_the_start() {
    let text = Metrics::new("1.2.3").expect("metrics").encode().expect("text");
    for name in NAMES {
        assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
    }
    assert_eq!(text.matches("# TYPE ").count(), NAMES.len());
}

#[test]
fn every_record_shows_with_its_labels() {
    let text = filled().encode().expect("text");
    for line in [
        "ai_token_usage_total{agent=\"writer\",model=\"qwen-plus\",type=\"input\"} 120",
        "ai_token_usage_total{agent=\"writer\",model=\"qwen-plus\",type=\"output\"} 30",
        "ai_task_queue_depth 7",
        "ai_agent_error_total{agent=\"writer\",kind=\"tool_error\"} 1",
        "crew_execution_seconds_count{crew=\"research\",status=\"succeeded\"} 1",
        "llm_requests_total{model=\"qwen-plus\",status=\"ok\"} 1",
        "llm_request_duration_seconds_sum{model=\"qwen-plus\"} 1.5",
        "llm_tokens_total{model=\"qwen-plus\",type=\"output\"} 30",
        "llm_time_to_first_token_seconds_count{model=\"qwen-plus\"} 1",
        "http_requests_total{method=\"GET\",route=\"/api/v1/tasks/{id}\",status=\"200\"} 1",
        "http_request_duration_seconds_count{method=\"GET\",route=\"/api/v1/tasks/{id}\"} 1",
        "db_pool_connections{state=\"idle\"} 3",
        "crewd_duty_leader{duty=\"runs\"} 1",
        "redis_up 1",
        "redis_hints_total{outcome=\"sent\"} 2",
        "notify_up 1",
        "notify_hints_total{outcome=\"heard\"} 3",
        "crewd_webhook_deliveries_total{outcome=\"delivered\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    assert!(text.contains("version=\"1.2.3\"} 1"));
    for name in NAMES {
        assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
    }
}

#[test]
fn names_beyond_the_limit_are_counted_together() {
    let metrics = Metrics::new("1").expect("metrics");
    for number in 0..1_000 {
        metrics.record_agent_error(&format!("agent-{number}"), "x");
        metrics.record_http(&format!("METHOD{number}"), "/", 200, 0.0);
    }
    let text = metrics.encode().expect("text");
    assert_eq!(text.matches("ai_agent_error_total{").count(), 201);
    assert!(text.contains("ai_agent_error_total{agent=\"other\",kind=\"x\"} 800"), "{text}");
    assert_eq!(text.matches("http_requests_total{").count(), 1);
}

#[test]
fn odd_names_are_bounded_too() {
    let guard = LabelGuard::new(2);
    assert_eq!(guard.admit(""), "unknown");
    assert_eq!(guard.admit(&"x".repeat(129)), "other");
    assert_eq!([guard.admit("a"), guard.admit("b"), guard.admit("c"), guard.admit("a")], ["a", "b", "other", "a"]);
}

#[test]
fn quotes_and_line_breaks_in_names_are_escaped() {
    let metrics = Metrics::new("1").expect("metrics");
    metrics.record_agent_error("a\"b\nc", "x");
    assert!(metrics.encode().expect("text").contains("agent=\"a\\\"b\\nc\""));
}
