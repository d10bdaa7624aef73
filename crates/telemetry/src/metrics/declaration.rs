//! The metrics, declared.

use prometheus::{HistogramOpts, core::Collector};
use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::label_guard::LabelGuard;
use crate::error::TelemetryError;

/// Different models, agents and crews that are told apart.
const MOST_NAMES: usize = 200;

/// Different routes and kinds of error that are told apart; both come from the program's own text.
const MOST_WORDS: usize = 500;

/// Seconds of an HTTP request.
const HTTP_SECONDS: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Seconds of a model call.
const LLM_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0];

/// Seconds until a model's first token.
const FIRST_TOKEN_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Seconds of a crew's run.
const CREW_SECONDS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];

/// All metrics of a process. Shared by `Arc`; there is no global one.
#[derive(Debug)]
pub struct Metrics {
    pub(super) registry: Registry,
    pub(super) families: Vec<Family>,
    pub(super) token_usage: IntCounterVec,
    pub(super) queue_depth: IntGauge,
    pub(super) agent_errors: IntCounterVec,
    pub(super) crew_seconds: HistogramVec,
    pub(super) llm_requests: IntCounterVec,
    pub(super) llm_seconds: HistogramVec,
    pub(super) llm_tokens: IntCounterVec,
    pub(super) llm_first_token_seconds: HistogramVec,
    pub(super) http_requests: IntCounterVec,
    pub(super) http_seconds: HistogramVec,
    pub(super) pool_connections: IntGaugeVec,
    pub(super) duty_leader: IntGaugeVec,
    pub(super) redis_up: IntGaugeVec,
    pub(super) redis_hints: IntCounterVec,
    pub(super) notify_up: IntGaugeVec,
    pub(super) notify_hints: IntCounterVec,
    pub(super) webhook_deliveries: IntCounterVec,
    pub(super) names: NameGuards,
}

/// What is told of a metric that has no value yet.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: &'static str,
}

/// One guard per label that users fill.
#[derive(Debug)]
pub(super) struct NameGuards {
    pub(super) models: LabelGuard,
    pub(super) agents: LabelGuard,
    pub(super) crews: LabelGuard,
    pub(super) routes: LabelGuard,
    pub(super) kinds: LabelGuard,
}

impl Metrics {
    /// Declares all metrics. `version` is the program's, for `crewd_build_info`.
    ///
    /// # Errors
    /// A declaration that Prometheus refuses.
    pub fn new(version: &str) -> Result<Self, TelemetryError> {
        let mut declare = Declarations { registry: Registry::new(), families: Vec::new() };
        let build = declare.gauges("crewd_build_info", "Always 1; the labels tell what runs.", &["version", "os", "arch"])?;
        build.with_label_values(&[version, std::env::consts::OS, std::env::consts::ARCH]).set(1);
        Ok(Self {
            token_usage: declare.counters(
                "ai_token_usage_total",
                "Tokens used by agents, by model, agent and type (input, output).",
                &["model", "agent", "type"],
            )?,
            queue_depth: declare.gauge("ai_task_queue_depth", "Tasks that wait for a worker.")?,
            agent_errors: declare.counters("ai_agent_error_total", "Failures of agents, by kind.", &["agent", "kind"])?,
            crew_seconds: declare.histograms(
                "crew_execution_seconds",
                "Seconds from the start of a crew's run to its end.",
                &["crew", "status"],
                CREW_SECONDS,
            )?,
            llm_requests: declare.counters("llm_requests_total", "Model calls, by how they ended.", &["model", "status"])?,
            llm_seconds: declare.histograms(
                "llm_request_duration_seconds",
                "Seconds of a model call.",
                &["model"],
                LLM_SECONDS,
            )?,
            llm_tokens: declare.counters(
                "llm_tokens_total",
                "Tokens of model calls, by type (input, output).",
                &["model", "type"],
            )?,
            llm_first_token_seconds: declare.histograms(
                "llm_time_to_first_token_seconds",
                "Seconds until the first piece of a streamed answer.",
                &["model"],
                FIRST_TOKEN_SECONDS,
            )?,
            http_requests: declare.counters(
                "http_requests_total",
                "HTTP requests, by how they ended.",
                &["method", "route", "status"],
            )?,
            http_seconds: declare.histograms(
                "http_request_duration_seconds",
                "Seconds from an HTTP request to the head of its answer.",
                &["method", "route"],
                HTTP_SECONDS,
            )?,
            pool_connections: declare.gauges("db_pool_connections", "Database connections, by state.", &["state"])?,
            duty_leader: declare.gauges(
                "crewd_duty_leader",
                "1 while this process does a duty for the whole installation, else 0.",
                &["duty"],
            )?,
            redis_up: declare.gauges("redis_up", "1 while Redis works, 0 while it is away; absent without Redis.", &[])?,
            redis_hints: declare.hints("redis_hints_total", "Hints to other processes over Redis")?,
            notify_up: declare.gauges("notify_up", "1 while PostgreSQL's notifications are heard, else 0.", &[])?,
            notify_hints: declare.hints("notify_hints_total", "Hints to other processes over PostgreSQL's notifications")?,
            webhook_deliveries: declare.counters(
                "crewd_webhook_deliveries_total",
                "Attempts to deliver webhooks, by outcome (delivered, retried, given_up, disabled, unreported).",
                &["outcome"],
            )?,
            names: NameGuards {
                models: LabelGuard::new(MOST_NAMES),
                agents: LabelGuard::new(MOST_NAMES),
                crews: LabelGuard::new(MOST_NAMES),
                routes: LabelGuard::new(MOST_WORDS),
                kinds: LabelGuard::new(MOST_WORDS),
            },
            registry: declare.registry,
            families: declare.families,
        })
    }
}

struct Declarations {
    registry: Registry,
    families: Vec<Family>,
}

impl Declarations {
    fn hints(&mut self, name: &str, what: &str) -> Result<IntCounterVec, TelemetryError> {
        self.counters(name, &format!("{what}, by outcome (sent, heard, dropped)."), &["outcome"])
    }

    fn counters(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, TelemetryError> {
        let metric = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.register(name, help, "counter", metric)
    }

    fn gauge(&mut self, name: &str, help: &str) -> Result<IntGauge, TelemetryError> {
        let metric = IntGauge::new(name, help)?;
        self.register(name, help, "gauge", metric)
    }

    fn gauges(&mut self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, TelemetryError> {
        let metric = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.register(name, help, "gauge", metric)
    }

    fn histograms(&mut self, name: &str, help: &str, labels: &[&str], bounds: &[f64]) -> Result<HistogramVec, TelemetryError> {
        let metric = HistogramVec::new(HistogramOpts::new(name, help).buckets(bounds.to_vec()), labels)?;
        self.register(name, help, "histogram", metric)
    }

    fn register<M: Collector + Clone + 'static>(
        &mut self,
        name: &str,
        help: &str,
        kind: &'static str,
        metric: M,
    ) -> Result<M, TelemetryError> {
        self.registry.register(Box::new(metric.clone()))?;
        self.families.push(Family { name: name.to_owned(), help: help.to_owned(), kind });
        Ok(metric)
    }
}
