//! Bodies and their rules.

use chrono::{DateTime, Utc};
use crewd_application::webhooks::{ChangeWebhook, NewWebhook};
use crewd_domain::webhooks::{Payload, WebhookEvent};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::{ApiError, Problems};
use crate::extract::ObjectReader;

const PAYLOADS: &[(&str, Payload)] = &[("thin", Payload::Thin), ("full", Payload::Full)];

/// An endpoint to be added, or what is to be changed of one.
#[derive(Debug, ToSchema)]
pub(super) struct WebhookRequest {
    /// Where to: https, a public host. Required where an endpoint is added.
    #[schema(value_type = String, example = "https://example.org/hooks/crewd")]
    url: Option<String>,
    /// What it is for, at most 500 characters.
    description: Option<String>,
    /// What it is told of: `task.queued`, `task.waiting`, `approval.requested`, `task.succeeded`, `task.failed`,
    /// `task.cancelled`, `task.incomplete`, `deadletter.added`. Everything without a list or with an empty one.
    #[schema(value_type = Option<Vec<String>>, example = json!(["task.succeeded", "task.failed"]))]
    events: Option<Vec<WebhookEvent>>,
    /// `thin` (the default): ids, status and links; `full`: the event's own data as well.
    #[schema(value_type = Option<String>, example = "thin")]
    payload: Option<Payload>,
    /// Seconds to wait for an answer; 15 if it is not given.
    #[schema(minimum = 1, maximum = 30)]
    timeout_seconds: Option<u32>,
    /// Deliveries at once; 10 if it is not given.
    #[schema(minimum = 1, maximum = 50)]
    max_concurrent: Option<u32>,
    /// Only of a change: whether it is told of nothing. `false` takes it up again.
    disabled: Option<bool>,
}

/// Which failed deliveries are to be sent again.
#[derive(Debug, ToSchema)]
pub(super) struct RedeliverRequest {
    /// Those of events at or after this instant.
    #[schema(value_type = String, format = DateTime, example = "2026-01-31T12:00:00Z")]
    since: Option<DateTime<Utc>>,
}

/// Reads an endpoint that is to be added.
///
/// # Errors
/// `validation_failed` with all that is wrong.
pub(super) fn read_new(body: Value) -> Result<NewWebhook, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    if !reader.has("url") {
        reader.add("required", "url", "is required: where the events are to be sent to");
    }
    let request = read_fields(&mut reader);
    reader.finish();
    problems.check()?;
    Ok(NewWebhook {
        url: request.url.unwrap_or_default(),
        description: request.description,
        events: request.events.unwrap_or_default(),
        payload: request.payload.unwrap_or_default(),
        timeout_seconds: request.timeout_seconds,
        max_concurrent: request.max_concurrent,
    })
}

/// Reads a change. A `description` of `null` removes the text.
///
/// # Errors
/// `validation_failed` with all that is wrong.
pub(super) fn read_change(body: Value) -> Result<ChangeWebhook, ApiError> {
    let removes_description = body.get("description").is_some_and(Value::is_null);
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    let mut request = read_fields(&mut reader);
    request.disabled = reader.boolean("disabled");
    reader.finish();
    problems.check()?;
    Ok(ChangeWebhook {
        url: request.url,
        description: if removes_description { Some(None) } else { request.description.map(Some) },
        events: request.events,
        payload: request.payload,
        timeout_seconds: request.timeout_seconds,
        max_concurrent: request.max_concurrent,
        disabled: request.disabled,
    })
}

/// Reads which failed deliveries are to be sent again.
///
/// # Errors
/// `validation_failed`.
pub(super) fn read_redeliver(body: Value) -> Result<DateTime<Utc>, ApiError> {
    let mut problems = Problems::default();
    let mut reader = ObjectReader::of_body(body, &mut problems)?;
    if !reader.has("since") {
        reader.add("required", "since", "is required: a time such as 2026-01-31T12:00:00Z");
    }
    let request = RedeliverRequest { since: reader.instant("since") };
    reader.finish();
    problems.check()?;
    // One that is missing was told above.
    request.since.ok_or_else(ApiError::internal)
}

/// Reads a list of types of events; an empty one where it is not given.
pub(crate) fn read_events(reader: &mut ObjectReader<'_>, name: &'static str) -> Option<Vec<WebhookEvent>> {
    let value = reader.any(name)?;
    let Value::Array(items) = value else {
        reader.add("wrong_type", name, "must be an array of types of events");
        return None;
    };
    let mut events = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        match item.as_str().and_then(WebhookEvent::parse) {
            Some(event) => events.push(event),
            None => {
                let known: Vec<_> = WebhookEvent::ALL.iter().map(|event| event.as_str()).collect();
                reader.add_at("unknown_value", &format!("{name}/{position}"), format!("must be one of {}", known.join(", ")));
            }
        }
    }
    Some(events)
}

/// The fields that both kinds of requests have.
fn read_fields(reader: &mut ObjectReader<'_>) -> WebhookRequest {
    WebhookRequest {
        url: reader.name("url", 8_192),
        description: reader.text("description"),
        events: read_events(reader, "events"),
        payload: reader.choice("payload", PAYLOADS),
        timeout_seconds: small(reader.integer("timeout_seconds", 1, 30)),
        max_concurrent: small(reader.integer("max_concurrent", 1, 50)),
        disabled: None,
    }
}

fn small(number: Option<u64>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}
