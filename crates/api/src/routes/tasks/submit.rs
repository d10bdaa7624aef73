//! The body of a submission and its rules.

use chrono::{DateTime, Utc};
use crewd_application::runs::SubmitTask;
use crewd_domain::runs::{Budget, Priority};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::error::{ApiError, Problems, pointer_to};
use crate::extract::ObjectReader;

/// Characters of the names in a submission.
const NAME: usize = 255;
/// A week, in seconds.
const LONGEST_DEADLINE_SECONDS: u32 = 7 * 24 * 3600;
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
    /// Not in this version.
    not_before: Option<DateTime<Utc>>,
    /// Not in this version.
    webhook: Option<WebhookRequest>,
    /// What it may use.
    budget: Option<BudgetRequest>,
    /// Not in this version.
    conversation_id: Option<String>,
    /// Not in this version.
    dedup_key: Option<String>,
    /// Labels of your own: up to 50 texts, numbers and booleans.
    #[schema(value_type = Option<Object>)]
    metadata: Map<String, Value>,
}

/// Not in this version.
#[derive(Debug, Default, ToSchema)]
struct WebhookRequest {
    /// Where to.
    url: Option<String>,
    /// Which types of events.
    #[schema(value_type = Option<Vec<String>>)]
    events: Option<Value>,
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
pub(super) fn read_submission(body: Value) -> Result<SubmitTask, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let submission = read_task(&mut reader);
    reader.finish();
    problems.check()?;
    Ok(submission)
}

/// Reads the fields of a submission, wherever they stand.
pub(crate) fn read_task(reader: &mut ObjectReader<'_>) -> SubmitTask {
    let request = read_fields(reader);
    request.into_submission(reader)
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
        deadline_seconds: reader
            .integer("deadline_seconds", 1, LONGEST_DEADLINE_SECONDS.into())
            .and_then(|seconds| seconds.try_into().ok()),
        not_before: reader.instant("not_before"),
        webhook: reader.nested("webhook").map(|mut webhook| {
            let request = WebhookRequest { url: webhook.text("url"), events: webhook.any("events") };
            webhook.finish();
            request
        }),
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
        metadata: reader.object("metadata").unwrap_or_default(),
    };
    for key in request.metadata.keys().filter(|key| key.chars().any(char::is_control)) {
        reader.add_at("invalid_characters", &pointer_to("metadata", key), "a key holds no control character");
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
        let asks_webhook = self.webhook.is_some_and(|webhook| webhook.url.is_some() || webhook.events.is_some());
        let not_yet = [
            ("flow", self.flow.is_some() && self.crew.is_none()),
            ("agent", self.agent.is_some() && self.crew.is_none() && self.flow.is_none()),
            ("not_before", self.not_before.is_some()),
            ("webhook", asks_webhook),
            ("conversation_id", self.conversation_id.is_some()),
            ("dedup_key", self.dedup_key.is_some()),
        ];
        for (name, _) in not_yet.iter().filter(|(_, is_asked)| *is_asked) {
            reader.add("not_supported", name, NOT_YET);
        }
        SubmitTask {
            crew: self.crew.unwrap_or_default(),
            version: self.version,
            inputs: self.inputs,
            priority: self.priority.unwrap_or_default(),
            deadline_seconds: self.deadline_seconds,
            budget: Budget { max_tokens: self.budget.and_then(|budget| budget.max_tokens) },
            metadata: self.metadata,
            ..SubmitTask::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(body: Value) -> Vec<String> {
        let error = read_submission(body).unwrap_err();
        error.details().fields.iter().map(|field| field.pointer.clone()).collect()
    }

    #[test]
    fn the_whole_body_of_the_contract_is_read() {
        let body = json!({"crew": "research", "inputs": {"topic": "tea"}, "version": null, "priority": "batch", "deadline_seconds": 600,
            "not_before": null, "webhook": null, "budget": {"max_tokens": 100_000, "max_cost_usd": null}, "conversation_id": null,
            "dedup_key": null, "metadata": {"team": "red"}});
        let submission = read_submission(body).unwrap();
        assert_eq!((submission.crew.as_str(), submission.priority), ("research", Priority::Batch));
        assert_eq!((submission.deadline_seconds, submission.budget.max_tokens), (Some(600), Some(100_000)));
        assert_eq!((&submission.inputs["topic"], &submission.metadata["team"]), (&json!("tea"), &json!("red")));
    }

    #[test]
    fn a_crew_is_enough() {
        let submission = read_submission(json!({"crew": "research"})).unwrap();
        assert_eq!(submission, SubmitTask { crew: "research".to_owned(), ..SubmitTask::default() });
    }

    #[test]
    fn exactly_one_thing_is_run() {
        assert_eq!(pointers(json!({})), ["/crew"]);
        assert_eq!(pointers(json!({"crew": null})), ["/crew"]);
        assert_eq!(pointers(json!({"flow": "f"})), ["/flow"]);
        assert_eq!(pointers(json!({"agent": "a"})), ["/agent"]);
        assert_eq!(pointers(json!({"crew": "c", "flow": "f", "agent": "a"})), ["/flow", "/agent"]);
        assert_eq!(pointers(json!({"crew": 7})), ["/crew"], "one problem, not two");
    }

    #[test]
    fn what_this_version_cannot_do_is_refused_and_not_ignored() {
        let later = [
            ("not_before", json!("2099-01-01T00:00:00Z")),
            ("webhook", json!({"url": "https://example.org", "events": ["task.succeeded"]})),
            ("conversation_id", json!("c-1")),
            ("dedup_key", json!("d-1")),
        ];
        for (name, value) in later {
            let error = read_submission(json!({"crew": "c", name: value})).unwrap_err();
            assert_eq!(error.details().reason.as_deref(), Some("not_supported"), "{name}");
            assert_eq!(error.details().fields[0].pointer, format!("/{name}"));
        }
        assert_eq!(pointers(json!({"crew": "c", "budget": {"max_cost_usd": "0.50"}})), ["/budget/max_cost_usd"]);
    }

    #[test]
    fn keys_of_metadata_hold_no_control_characters() {
        let error = read_submission(json!({"crew": "c", "metadata": {"a\u{0}b": 1}})).unwrap_err();
        assert_eq!(error.details().reason.as_deref(), Some("invalid_characters"));
        assert_eq!(error.details().fields[0].pointer, "/metadata/a\u{0}b");
    }

    #[test]
    fn all_wrong_types_are_told_at_once() {
        let body = json!({"crew": ["x"], "inputs": "x", "version": 1, "priority": "urgent", "deadline_seconds": 0, "not_before": "soon",
            "webhook": "x", "budget": {"max_tokens": -1, "max_money": 1}, "conversation_id": 1, "dedup_key": {}, "metadata": [], "imputs": {}});
        let expected = [
            "/crew",
            "/inputs",
            "/version",
            "/priority",
            "/deadline_seconds",
            "/not_before",
            "/webhook",
            "/budget/max_tokens",
            "/budget/max_money",
            "/conversation_id",
            "/dedup_key",
            "/metadata",
            "/imputs",
        ];
        assert_eq!(pointers(body), expected);
    }
}
