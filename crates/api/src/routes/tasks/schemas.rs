//! The task as clients see it.

use crewd_application::ports::TaskView;
use crewd_domain::approvals::Approval;
use crewd_domain::runs::{Failure, StepPath};
use crewd_domain::shared::Usage;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::runs::{OriginResponse, RunResponse};
use crate::routes::approvals::PendingApproval;
use crate::timestamp::Timestamp;

/// A task: what was submitted, and the state of its current run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskResponse {
    /// Its id; polling it always works.
    id: Uuid,
    /// One of `scheduled`, `queued`, `running`, `waiting`, `cancelling`, `succeeded`, `incomplete`, `failed`,
    /// `cancelled`, `rejected`. The last five are final.
    #[schema(example = "queued")]
    status: &'static str,
    /// What a waiting task waits for.
    waiting_for: Option<&'static str>,
    /// Since when it waits.
    waiting_since: Option<Timestamp>,
    /// The questions it waits for; only while it waits for a person's answer, and only where a single task is read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    approvals: Vec<PendingApproval>,
    /// Its place in the queue; only while it is queued, and only where a single task is read.
    queue: Option<QueueResponse>,
    /// Its own webhook, if it was submitted with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<TaskWebhookResponse>,
    /// What is run: `crew`.
    #[schema(example = "crew")]
    kind: &'static str,
    /// The crew's name.
    #[schema(example = "research")]
    name: String,
    /// The exact definition; later changes of the crew do not touch the task.
    #[schema(example = "sha256:…")]
    definition_version: String,
    /// `interactive`, `standard` or `batch`.
    #[schema(example = "standard")]
    priority: &'static str,
    /// Values of the crew's placeholders.
    #[schema(value_type = Object)]
    inputs: Map<String, Value>,
    /// The current run.
    run: RunResponse,
    /// The step after which it stops by itself until it is let go on.
    #[schema(value_type = Option<String>, example = "crew_task[0]")]
    stop_after: Option<StepPath>,
    /// Of a fork or a replay: where it comes from.
    origin: Option<OriginResponse>,
    /// How far it is.
    progress: ProgressResponse,
    /// `{raw, json, tasks: [{name, agent, raw, json}]}`; `null` until there is something. Partial output is kept.
    #[schema(value_type = Option<Object>)]
    output: Option<Value>,
    /// Why it failed or stopped early.
    error: Option<FailureResponse>,
    /// Of a failed task that a person should look at: `open`, or `discarded` once somebody has.
    #[schema(example = "open")]
    dead_letter: Option<&'static str>,
    /// Whether any model call was answered by the offline provider.
    simulated: bool,
    /// What it has used so far.
    usage: UsageResponse,
    /// Where to go next.
    links: LinksResponse,
    /// When it was accepted.
    created_at: Timestamp,
    /// When a worker first took it.
    started_at: Option<Timestamp>,
    /// When it ended.
    finished_at: Option<Timestamp>,
    /// The client's own labels.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
}

/// Where a task stands in the queue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueResponse {
    /// 1 is next. Counted up to 10,000.
    #[schema(minimum = 1, maximum = 10_000)]
    position: u64,
}

/// The webhook of a single task.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TaskWebhookResponse {
    /// Its id.
    id: Uuid,
    /// What to check signatures with: only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// How far a task is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProgressResponse {
    /// Finished steps.
    steps_done: u32,
    /// The step that is being done.
    #[schema(example = "crew_task[1].agent.turn[2]")]
    current: Option<String>,
}

/// Absolute paths on this server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinksResponse {
    /// The task.
    #[serde(rename = "self")]
    this: String,
    /// Its log, as JSON or as server-sent events.
    events: String,
    /// Its log over a WebSocket.
    ws: String,
    /// Its journal.
    steps: String,
}

/// Counts of tokens and calls, and what they cost.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct UsageResponse {
    /// Tokens the model read.
    input_tokens: u64,
    /// Tokens the model wrote.
    output_tokens: u64,
    /// Tokens of the input that came from the provider's cache.
    cached_input_tokens: u64,
    /// Input plus output.
    total_tokens: u64,
    /// Calls of a model.
    llm_calls: u64,
    /// Calls of a tool.
    tool_calls: u64,
    /// Cost in millionths of a US dollar.
    cost_usd_micros: u64,
    /// The same as a decimal text.
    #[schema(value_type = String, example = "0.000000")]
    cost_usd: Money,
}

/// Why a task or a step failed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureResponse {
    /// A stable code, such as `provider_failed`.
    code: String,
    /// Whose fault it is: `user_error`, `tool_error`, `provider_error`, `timeout`, `crash_loop`, `journal_mismatch`
    /// or `internal`.
    class: &'static str,
    /// What happened, for people.
    message: String,
    /// Whether the same work may succeed later.
    retryable: bool,
    /// Finer facts, such as the provider's status.
    #[serde(skip_serializing_if = "Value::is_null")]
    details: Value,
}

/// Micro-dollars, written as dollars with six decimals.
#[derive(Clone, Copy, Debug)]
struct Money(u64);

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000))
    }
}

impl From<Usage> for UsageResponse {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cached_input_tokens: usage.cached_input_tokens,
            total_tokens: usage.total_tokens(),
            llm_calls: usage.llm_calls,
            tool_calls: usage.tool_calls,
            cost_usd_micros: usage.cost_usd_micros,
            cost_usd: Money(usage.cost_usd_micros),
        }
    }
}

impl From<Failure> for FailureResponse {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code,
            class: failure.class.as_str(),
            message: failure.message,
            retryable: failure.retryable,
            details: failure.details,
        }
    }
}

impl TaskResponse {
    /// The same with the questions it waits for.
    pub(super) fn asking(self, approvals: Vec<Approval>) -> Self {
        Self { approvals: approvals.into_iter().map(PendingApproval::from).collect(), ..self }
    }
}

impl TaskResponse {
    /// The same with its place in the queue.
    pub(super) fn queued_at(self, position: Option<u64>) -> Self {
        Self { queue: position.map(|position| QueueResponse { position }), ..self }
    }

    /// The same with the secret of its webhook.
    pub(super) fn signed_with(mut self, secret: Option<String>) -> Self {
        if let Some(webhook) = &mut self.webhook {
            webhook.secret = secret;
        }
        self
    }
}

impl From<TaskView> for TaskResponse {
    fn from(TaskView { task, run, progress }: TaskView) -> Self {
        let this = self_link(task.id);
        Self {
            id: task.id.as_uuid(),
            status: run.status.as_str(),
            waiting_for: run.waiting_for.map(|reason| reason.as_str()),
            waiting_since: run.waiting_since.map(Timestamp),
            approvals: Vec::new(),
            queue: None,
            webhook: task.options.webhook.map(|id| TaskWebhookResponse { id: id.as_uuid(), secret: None }),
            kind: "crew",
            name: task.crew,
            definition_version: task.definition_version,
            priority: task.priority.as_str(),
            inputs: task.inputs,
            run: RunResponse::from(&run),
            stop_after: run.stop_after,
            origin: task.options.origin.map(OriginResponse::from),
            dead_letter: run.dead_letter.map(|state| state.as_str()),
            progress: ProgressResponse { steps_done: progress.steps_done, current: progress.current },
            output: run.output.filter(|output| !output.is_null()),
            error: run.error.map(FailureResponse::from),
            simulated: run.simulated,
            usage: progress.usage.into(),
            links: LinksResponse {
                events: format!("{this}/events"),
                ws: format!("{this}/ws"),
                steps: format!("{this}/steps"),
                this,
            },
            created_at: task.created_at.into(),
            started_at: run.started_at.map(Timestamp),
            finished_at: run.finished_at.map(Timestamp),
            metadata: task.metadata,
        }
    }
}

/// The task as `GET /api/v1/tasks/{id}` shows it, for a command line that runs a crew without a server.
///
/// # Errors
/// None that is known: every part of a task can be written as JSON.
pub fn task_json(view: TaskView) -> serde_json::Result<String> {
    serde_json::to_string(&TaskResponse::from(view))
}

/// The path of a task.
pub(super) fn self_link(id: crewd_domain::shared::TaskId) -> String {
    format!("/api/v1/tasks/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_six_decimals() {
        let text = |micros| serde_json::to_string(&Money(micros)).unwrap();
        assert_eq!((text(0), text(1), text(12_345_678)), ("\"0.000000\"".into(), "\"0.000001\"".into(), "\"12.345678\"".into()));
    }

    #[test]
    fn usage_has_its_sum() {
        let usage = Usage { input_tokens: 7, output_tokens: 3, ..Usage::default() };
        let json = serde_json::to_value(UsageResponse::from(usage)).unwrap();
        assert_eq!((&json["total_tokens"], &json["cost_usd"]), (&Value::from(10), &Value::from("0.000000")));
    }
}
