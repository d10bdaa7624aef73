//! What handlers work with.

use std::sync::Arc;

use crewd_application::approvals::ApprovalService;
use crewd_application::crews::CrewService;
use crewd_application::ports::{Authenticator, Clock, HealthCheck, IdGenerator, LanguageModel, RateLimiter, ToolSet};
use crewd_application::runs::TaskService;
use crewd_application::schedules::ScheduleService;
use crewd_application::webhooks::WebhookService;
use crewd_telemetry::Metrics;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// Brings gauges up to date before they are read, such as the depth of the queue.
pub type BeforeScrape = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// Everything the HTTP surface needs. The server fills it.
#[derive(Clone)]
pub struct ApiState {
    /// Submits, reads, follows and cancels tasks.
    pub tasks: Arc<TaskService>,
    /// How often each key may submit tasks, if that is limited.
    pub task_rates: Option<Arc<dyn RateLimiter>>,
    /// Lists questions to people and takes their answers.
    pub approvals: Arc<ApprovalService>,
    /// Keeps, triggers and backfills schedules.
    pub schedules: Arc<ScheduleService>,
    /// Keeps webhook endpoints and their deliveries.
    pub webhooks: Arc<WebhookService>,
    /// Reads, adds and checks crews.
    pub crews: Arc<CrewService>,
    /// The tools of this installation.
    pub tools: Arc<dyn ToolSet>,
    /// The models of this installation.
    pub model: Arc<dyn LanguageModel>,
    /// Checks keys.
    pub authenticator: Arc<dyn Authenticator>,
    /// What readiness asks.
    pub health: Vec<Arc<dyn HealthCheck>>,
    /// Where requests are counted, and what `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// Request ids, and the jitter of hints.
    pub ids: Arc<dyn IdGenerator>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// What `/version` shows.
    pub build: BuildInfo,
    /// Origins that browsers may call from, such as `https://app.example`; `*` for all. Empty for none.
    pub allowed_origins: Vec<String>,
    /// Withdraws readiness, while requests are still answered.
    pub stopping: CancellationToken,
    /// Ends long answers (streams, sockets, long polls) when the server stops.
    pub shutdown: CancellationToken,
    /// How large requests may be.
    pub limits: Limits,
    /// Called before each reading of `/metrics`.
    pub before_scrape: Option<BeforeScrape>,
}

/// What runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version of the package.
    pub version: String,
    /// The commit it was built from, where that is known.
    pub commit: Option<String>,
}

/// How large requests may be, checked before anything is parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Bytes of all header names and values.
    pub header_bytes: usize,
    /// Levels of JSON.
    pub json_depth: usize,
    /// Bytes of a message from a WebSocket client.
    pub socket_message_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 1024 * 1024, header_bytes: 16 * 1024, json_depth: 64, socket_message_bytes: 64 * 1024 }
    }
}
