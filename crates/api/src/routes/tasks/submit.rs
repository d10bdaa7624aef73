//! The body of a submission and its rules.

use chrono::{DateTime, Utc};
use crewd_application::runs::{DedupConflict, DedupRule, SubmitTask};
use crewd_application::webhooks::TaskWebhook;
use crewd_domain::runs::{Budget, Concurrency, ConcurrencyMode, Priority, StepPath, TaskOptions};
use crewd_domain::webhooks::WebhookEvent;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::retry::read_step;
use crate::error::{ApiError, Problems, pointer_to};
use crate::extract::ObjectReader;
use crate::routes::webhooks::read_events;

/// Characters of the names in a submission.
const NAME: usize = 255;
/// Characters of a concurrency key.
const CONCURRENCY_KEY: usize = 200;
/// A week, in seconds.
const LONGEST_SECONDS: u32 = 7 * 24 * 3600;
/// For how long a business key may be held, in seconds: a year.
const LONGEST_HOLD_SECONDS: u32 = 366 * 24 * 3600;
/// Largest number that every database keeps.
const LARGEST: u64 = i64::MAX as u64;

/// A task to be done. Exactly one of `crew`, `flow` and `agent` is given; this version knows crews.
#[derive(Debug, Default, ToSchema)]
pub(super) struct SubmitTaskRequest {
    /// The crew.
    #[schema(example = "research")]
    crew: Option<String>,
    /// Not in this version.
    flow: Option<String>,
    /// Not in this version.
    agent: Option<String>,
    /// Values of the crew's placeholders; `GET /api/v1/crews/{name}` tells which.
    #[schema(value_type = Option<Object>)]
    inputs: Map<String, Value>,
    /// An exact version of the definition; the current one if it is not given.
    version: Option<String>,
    /// `interactive`, `standard` (the default) or `batch`.
    #[schema(value_type = Option<String>, example = "standard")]
    priority: Option<Priority>,
    /// Seconds for the whole run.
    #[schema(minimum = 1, maximum = 604_800)]
    deadline_seconds: Option<u32>,
    /// Seconds it may wait for a worker before it fails with `timeout`.
    #[schema(minimum = 1, maximum = 604_800)]
    queue_timeout_seconds: Option<u32>,
    /// Seconds of one model or tool call; the limits of the installation hold beside it.
    #[schema(minimum = 1, maximum = 604_800)]
    step_timeout_seconds: Option<u32>,
    /// Not to be started before this instant, at most 366 days ahead; one that is over means at once.
    not_before: Option<DateTime<Utc>>,
    /// The step behind which it stops and waits for `operator` until it is resumed.
    #[schema(value_type = Option<String>, example = "crew_task[0]")]
    stop_after: Option<StepPath>,
    /// An address that is told of this task alone.
    webhook: Option<TaskWebhookRequest>,
    /// What it may use.
    budget: Option<BudgetRequest>,
    /// Not in this version.
    conversation_id: Option<String>,
    /// A key of your own business: while a task holds it, another one with it is not made.
    dedup_key: Option<String>,
    /// How `dedup_key` is held.
    dedup: Option<DedupRequest>,
    /// At most one task with the same key is worked on at a time.
    concurrency: Option<ConcurrencyRequest>,
    /// Labels of your own: up to 50 texts, numbers and booleans.
    #[schema(value_type = Option<Object>)]
    metadata: Map<String, Value>,
}

/// An address that is told of one task.
#[derive(Debug, ToSchema)]
struct TaskWebhookRequest {
    /// Where to: https, a public host.
    #[schema(value_type = String, example = "https://example.org/hooks/crewd")]
    url: Option<String>,
    /// What it is told of; everything without it.
    #[schema(value_type = Option<Vec<String>>, example = json!(["task.succeeded", "task.failed"]))]
    events: Option<Vec<WebhookEvent>>,
    /// The secret to sign with, `whsec_…`; without it one is made and told in the answer.
    secret: Option<String>,
}

/// How a business key is held, and what a second task with it gets.
#[derive(Debug, Default, ToSchema)]
struct DedupRequest {
    /// `while_active` (the default): until the task has ended. `ttl`: for `ttl_seconds`, whatever becomes of the task.
    #[schema(value_type = Option<String>, example = "while_active")]
    mode: Option<DedupMode>,
    /// Of `ttl`: for how long.
    #[schema(minimum = 1, maximum = 31_622_400)]
    ttl_seconds: Option<u32>,
    /// `return_existing` (the default): the first task as the answer. `reject`: 409.
    #[schema(value_type = Option<String>, example = "return_existing")]
    on_conflict: Option<DedupConflict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DedupMode {
    WhileActive,
    Ttl,
}

/// At most one task with the same key is worked on at a time.
#[derive(Debug, ToSchema)]
struct ConcurrencyRequest {
    /// 1 to 200 characters, such as a conversation or a user.
    #[schema(value_type = String, example = "conversation-7")]
    key: Option<String>,
    /// What a new task means for those with the key that have not ended: `enqueue` (the default) comes after them,
    /// `reject` is refused, `interrupt` cancels them and keeps what they have done, `rollback` cancels them and drops it,
    /// `merge` sends its inputs to the one at work as a message.
    #[schema(value_type = Option<String>, example = "enqueue")]
    mode: Option<ConcurrencyMode>,
}

/// What a task may use.
#[derive(Debug, Default, ToSchema)]
struct BudgetRequest {
    /// Input plus output tokens of all model calls.
    #[schema(minimum = 1)]
    max_tokens: Option<u64>,
    /// Not in this version.
    #[schema(example = "0.50")]
    max_cost_usd: Option<String>,
}

/// Reads a submission.
///
/// # Errors
/// `validation_failed` with everything that is wrong, each at its place.
pub(super) fn read_submission(body: Value) -> Result<Submission, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let mut request = read_fields(&mut reader);
    let webhook = request.webhook.take().map(TaskWebhook::from);
    let task = request.into_submission(&mut reader);
    reader.finish();
    problems.check()?;
    Ok(Submission { task, webhook })
}

/// A task and the address that is told of it.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) task: SubmitTask,
    pub(super) webhook: Option<TaskWebhook>,
}

/// Reads the fields of a submission, wherever they stand; who reads them so has no use for a webhook of its own.
pub(crate) fn read_task(reader: &mut ObjectReader<'_>) -> SubmitTask {
    let request = read_fields(reader);
    request.into_submission(reader)
}

fn read_webhook(reader: &mut ObjectReader<'_>) -> Option<TaskWebhookRequest> {
    let mut webhook = reader.nested("webhook")?;
    if !webhook.has("url") {
        webhook.add("required", "url", "is required: where the events are to be sent to");
    }
    let request = TaskWebhookRequest {
        url: webhook.text("url"),
        events: read_events(&mut webhook, "events"),
        secret: webhook.text("secret"),
    };
    webhook.finish();
    Some(request)
}

impl From<TaskWebhookRequest> for TaskWebhook {
    fn from(request: TaskWebhookRequest) -> Self {
        let TaskWebhookRequest { url, events, secret } = request;
        Self { url: url.unwrap_or_default(), events: events.unwrap_or_default(), secret }
    }
}

fn read_dedup(reader: &mut ObjectReader<'_>) -> Option<DedupRequest> {
    let mut dedup = reader.nested("dedup")?;
    let request = DedupRequest {
        mode: dedup.choice("mode", &[("while_active", DedupMode::WhileActive), ("ttl", DedupMode::Ttl)]),
        ttl_seconds: seconds(&mut dedup, "ttl_seconds", LONGEST_HOLD_SECONDS),
        on_conflict: dedup
            .choice("on_conflict", &[("return_existing", DedupConflict::ReturnExisting), ("reject", DedupConflict::Reject)]),
    };
    match (request.mode, dedup.was_given("ttl_seconds")) {
        (Some(DedupMode::Ttl), false) => dedup.add("required", "ttl_seconds", "is required: for how long the key is held"),
        (Some(DedupMode::Ttl), true) | (_, false) => {}
        (_, true) if dedup.was_given("mode") && request.mode.is_none() => {}
        (_, true) => dedup.add("conflicting_fields", "ttl_seconds", "belongs to the mode ttl alone"),
    }
    dedup.finish();
    Some(request)
}

fn read_concurrency(reader: &mut ObjectReader<'_>) -> Option<ConcurrencyRequest> {
    let mut concurrency = reader.nested("concurrency")?;
    if !concurrency.has("key") {
        concurrency.add("required", "key", "is required: what is to be done one at a time");
    }
    let modes: Vec<_> = ConcurrencyMode::ALL.iter().map(|mode| (mode.as_str(), *mode)).collect();
    let request = ConcurrencyRequest { key: concurrency.name("key", CONCURRENCY_KEY), mode: concurrency.choice("mode", &modes) };
    concurrency.finish();
    Some(request)
}

fn seconds(reader: &mut ObjectReader<'_>, name: &'static str, most: u32) -> Option<u32> {
    reader.integer(name, 1, most.into()).and_then(|seconds| seconds.try_into().ok())
}

fn read_fields(reader: &mut ObjectReader<'_>) -> SubmitTaskRequest {
    let choices: Vec<_> = Priority::ALL.iter().map(|priority| (priority.as_str(), *priority)).collect();
    let is_named = ["crew", "flow", "agent"].iter().any(|name| reader.has(name));
    let request = SubmitTaskRequest {
        crew: reader.name("crew", NAME),
        flow: reader.name("flow", NAME),
        agent: reader.name("agent", NAME),
        inputs: reader.object("inputs").unwrap_or_default(),
        version: reader.name("version", NAME),
        priority: reader.choice("priority", &choices),
        deadline_seconds: seconds(reader, "deadline_seconds", LONGEST_SECONDS),
        queue_timeout_seconds: seconds(reader, "queue_timeout_seconds", LONGEST_SECONDS),
        step_timeout_seconds: seconds(reader, "step_timeout_seconds", LONGEST_SECONDS),
        not_before: reader.instant("not_before"),
        stop_after: read_step(reader, "stop_after"),
        webhook: read_webhook(reader),
        budget: reader.nested("budget").map(|mut budget| {
            let request =
                BudgetRequest { max_tokens: budget.integer("max_tokens", 1, LARGEST), max_cost_usd: budget.text("max_cost_usd") };
            if request.max_cost_usd.is_some() {
                budget.add("not_supported", "max_cost_usd", NOT_YET);
            }
            budget.finish();
            request
        }),
        conversation_id: reader.name("conversation_id", NAME),
        dedup_key: reader.name("dedup_key", NAME),
        dedup: read_dedup(reader),
        concurrency: read_concurrency(reader),
        metadata: reader.object("metadata").unwrap_or_default(),
    };
    let is_unfit = |key: &&String| key.chars().any(char::is_control) || key.trim() != key.as_str();
    for key in request.metadata.keys().filter(is_unfit) {
        let message = "a key holds no control character, and no blank at its ends";
        reader.add_at("invalid_characters", &pointer_to("metadata", key), message);
    }
    if !is_named {
        reader.add("required", "crew", "is required: name the crew that is to do the task");
    }
    request
}

/// What is said of a part of the contract that this version cannot do: silence would be a lie.
const NOT_YET: &str = "this version of crewd does not have it yet; leave it out";

impl SubmitTaskRequest {
    /// The submission, after refusing what this version cannot do.
    fn into_submission(self, reader: &mut ObjectReader<'_>) -> SubmitTask {
        let given = [("crew", self.crew.is_some()), ("flow", self.flow.is_some()), ("agent", self.agent.is_some())];
        for (name, _) in given.iter().filter(|(_, is_given)| *is_given).skip(1) {
            reader.add("conflicting_fields", name, "exactly one of crew, flow and agent may be given");
        }
        let not_yet = [
            ("flow", self.flow.is_some() && self.crew.is_none()),
            ("agent", self.agent.is_some() && self.crew.is_none() && self.flow.is_none()),
            ("conversation_id", self.conversation_id.is_some()),
        ];
        for (name, _) in not_yet.iter().filter(|(_, is_asked)| *is_asked) {
            reader.add("not_supported", name, NOT_YET);
        }
        if self.dedup.is_some() && !reader.was_given("dedup_key") {
            reader.add("required", "dedup_key", "is required: dedup says how it is held");
        }
        let dedup = self.dedup.unwrap_or_default();
        let concurrency = self.concurrency.and_then(|concurrency| {
            let mode = concurrency.mode.unwrap_or_default();
            concurrency.key.map(|key| Concurrency { key, mode })
        });
        SubmitTask {
            crew: self.crew.unwrap_or_default(),
            version: self.version,
            inputs: self.inputs,
            priority: self.priority.unwrap_or_default(),
            deadline_seconds: self.deadline_seconds,
            budget: Budget { max_tokens: self.budget.and_then(|budget| budget.max_tokens) },
            metadata: self.metadata,
            options: TaskOptions {
                not_before: self.not_before,
                queue_timeout_seconds: self.queue_timeout_seconds,
                step_timeout_seconds: self.step_timeout_seconds,
                concurrency,
                dedup_key: self.dedup_key,
                ..TaskOptions::default()
            },
            stop_after: self.stop_after,
            dedup: DedupRule { ttl_seconds: dedup.ttl_seconds, on_conflict: dedup.on_conflict.unwrap_or_default() },
        }
    }
}

#[cfg(test)]
mod tests;
