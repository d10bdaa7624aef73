//! What happened, told to the metrics.

use super::declaration::Metrics;
use super::label_guard::OTHER;

/// One finished model call.
#[derive(Debug, Clone, Copy, Default)]
pub struct LlmCall<'a> {
    /// The model that was asked.
    pub model: &'a str,
    /// The agent that asked.
    pub agent: &'a str,
    /// `ok`, or a stable word for what went wrong.
    pub status: &'a str,
    /// Seconds from the request to the end of the answer.
    pub seconds: f64,
    /// Tokens that went in.
    pub input_tokens: u64,
    /// Tokens that came out.
    pub output_tokens: u64,
    /// Seconds until the first piece, where the answer was streamed.
    pub seconds_to_first_token: Option<f64>,
}

/// The ways that hints take between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintWay {
    /// Redis.
    Redis,
    /// PostgreSQL's notifications.
    Notify,
}

const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

impl Metrics {
    /// An HTTP request was answered. `route` is the template (`/api/v1/tasks/{id}`), never the raw path.
    pub fn record_http(&self, method: &str, route: &str, status: u16, seconds: f64) {
        let method = METHODS.iter().find(|known| **known == method).copied().unwrap_or(OTHER);
        let route = self.names.routes.admit(route);
        self.http_requests.with_label_values(&[method, route, &status.to_string()]).inc();
        self.http_seconds.with_label_values(&[method, route]).observe(seconds);
    }

    /// A model call ended, well or not.
    pub fn record_llm(&self, call: &LlmCall<'_>) {
        let model = self.names.models.admit(call.model);
        let agent = self.names.agents.admit(call.agent);
        let status = self.names.kinds.admit(call.status);
        self.llm_requests.with_label_values(&[model, status]).inc();
        self.llm_seconds.with_label_values(&[model]).observe(call.seconds);
        for (kind, count) in [("input", call.input_tokens), ("output", call.output_tokens)] {
            self.llm_tokens.with_label_values(&[model, kind]).inc_by(count);
            self.token_usage.with_label_values(&[model, agent, kind]).inc_by(count);
        }
        if let Some(seconds) = call.seconds_to_first_token {
            self.llm_first_token_seconds.with_label_values(&[model]).observe(seconds);
        }
    }

    /// An agent failed. `kind` is a stable word such as `tool_error`.
    pub fn record_agent_error(&self, agent: &str, kind: &str) {
        let labels = [self.names.agents.admit(agent), self.names.kinds.admit(kind)];
        self.agent_errors.with_label_values(&labels).inc();
    }

    /// A crew's run ended. `status` is the task's last state.
    pub fn record_crew(&self, crew: &str, status: &str, seconds: f64) {
        let labels = [self.names.crews.admit(crew), self.names.kinds.admit(status)];
        self.crew_seconds.with_label_values(&labels).observe(seconds);
    }

    /// How many tasks wait for a worker now.
    pub fn set_queue_depth(&self, tasks: u64) {
        self.queue_depth.set(i64::try_from(tasks).unwrap_or(i64::MAX));
    }

    /// Whether this process does a duty for the whole installation. `duty` is one of a few words.
    pub fn set_duty_leader(&self, duty: &str, leads: bool) {
        self.duty_leader.with_label_values(&[duty]).set(i64::from(leads));
    }

    /// Whether Redis works. Not called where none is configured.
    pub fn set_redis_up(&self, is_up: bool) {
        self.redis_up.with_label_values::<&str>(&[]).set(i64::from(is_up));
    }

    /// Hints to other processes that were `sent`, `heard` or `dropped` on this way.
    pub fn count_hints(&self, way: HintWay, outcome: &str, hints: u64) {
        let counters = match way {
            HintWay::Redis => &self.redis_hints,
            HintWay::Notify => &self.notify_hints,
        };
        counters.with_label_values(&[outcome]).inc_by(hints);
    }

    /// Whether PostgreSQL's notifications are heard. Not called where they are not used.
    pub fn set_notify_up(&self, is_up: bool) {
        self.notify_up.with_label_values::<&str>(&[]).set(i64::from(is_up));
    }

    /// How many database connections are in a state (`idle`, `in_use`) now.
    pub fn set_pool_connections(&self, state: &str, connections: u64) {
        self.pool_connections.with_label_values(&[state]).set(i64::try_from(connections).unwrap_or(i64::MAX));
    }

    /// An attempt to deliver a webhook is over. `outcome` is one of a few words, such as `delivered`.
    pub fn record_webhook_delivery(&self, outcome: &str) {
        self.webhook_deliveries.with_label_values(&[self.names.kinds.admit(outcome)]).inc();
    }
}
