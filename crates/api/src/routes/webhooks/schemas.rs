//! Endpoints and deliveries as clients see them.

use chrono::{DateTime, Utc};
use crewd_application::ports::Delivery;
use crewd_domain::webhooks::WebhookEndpoint;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::timestamp::Timestamp;

/// An address that is told of events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookResponse {
    /// Its id.
    id: Uuid,
    /// The one task it is for; `null` for all tasks.
    task_id: Option<Uuid>,
    /// Where to.
    #[schema(example = "https://example.org/hooks/crewd")]
    url: String,
    /// What it is for.
    description: Option<String>,
    /// What it is told of; an empty list means everything.
    #[schema(example = json!(["task.succeeded", "task.failed"]))]
    events: Vec<&'static str>,
    /// `thin`: ids, status and links; `full`: the event's own data as well.
    #[schema(example = "thin")]
    payload: &'static str,
    /// Seconds to wait for an answer.
    timeout_seconds: u32,
    /// Deliveries at once.
    max_concurrent: u32,
    /// Whether it is told of nothing.
    disabled: bool,
    /// Since when.
    disabled_at: Option<Timestamp>,
    /// Why.
    #[schema(example = "the receiver answered 410 Gone")]
    disabled_reason: Option<String>,
    /// Since when every delivery fails.
    failing_since: Option<Timestamp>,
    /// Until when the secret before the last rotation signs along.
    previous_secret_until: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
    /// Counts changes.
    version: u64,
}

/// An endpoint with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WebhookSecretResponse {
    /// The endpoint.
    #[serde(flatten)]
    pub(super) webhook: WebhookResponse,
    /// What deliveries are signed with, as Standard Webhooks 1.0 says. Keep it: it is not shown again.
    #[schema(example = "whsec_…")]
    pub(super) secret: String,
}

/// A message on its way to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeliveryResponse {
    /// Its id.
    id: Uuid,
    /// The header `webhook-id`: the same at every attempt.
    message_id: Uuid,
    /// What is told.
    #[serde(rename = "type")]
    #[schema(example = "task.succeeded")]
    event: &'static str,
    /// The task.
    task_id: Uuid,
    /// The run.
    run_id: Uuid,
    /// Number of the event in the task's log.
    seq: u64,
    /// `pending`, `delivered` or `failed`.
    #[schema(example = "delivered")]
    status: &'static str,
    /// Attempts so far; there are 10 at most.
    attempts: u32,
    /// When it is tried next.
    next_attempt_at: Option<Timestamp>,
    /// The status of the last answer.
    response_status: Option<u16>,
    /// Why the last attempt failed. What the receiver said is not kept.
    #[schema(example = "the receiver answered 503")]
    error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    duration_ms: Option<u64>,
    /// When it was tried last.
    attempted_at: Option<Timestamp>,
    /// When the receiver took it.
    delivered_at: Option<Timestamp>,
    /// When it was made.
    created_at: Timestamp,
}

/// How many deliveries are sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RedeliveredResponse {
    /// How many. At most 10,000 at a time: ask again for the rest.
    pub(super) redelivered: u32,
}

impl WebhookResponse {
    /// The endpoint as it is at an instant.
    pub(super) fn of(endpoint: WebhookEndpoint, now: DateTime<Utc>) -> Self {
        let (disabled_at, disabled_reason) = endpoint.disabled.unzip();
        let previous = endpoint.previous_secret.map(|(_, until)| until).filter(|until| *until > now);
        Self {
            id: endpoint.id.as_uuid(),
            task_id: endpoint.task_id.map(|task| task.as_uuid()),
            url: endpoint.url,
            description: endpoint.description,
            events: endpoint.events.into_iter().map(|event| event.as_str()).collect(),
            payload: endpoint.payload.as_str(),
            timeout_seconds: endpoint.timeout_seconds,
            max_concurrent: endpoint.max_concurrent,
            disabled: disabled_at.is_some(),
            disabled_at: disabled_at.map(Timestamp),
            disabled_reason,
            failing_since: endpoint.failing_since.map(Timestamp),
            previous_secret_until: previous.map(Timestamp),
            created_at: endpoint.created_at.into(),
            version: endpoint.version,
        }
    }
}

impl From<Delivery> for DeliveryResponse {
    fn from(delivery: Delivery) -> Self {
        let message = delivery.message;
        Self {
            id: delivery.id,
            message_id: message.id,
            event: message.event.as_str(),
            task_id: message.task_id.as_uuid(),
            run_id: message.run_id.as_uuid(),
            seq: message.seq,
            status: delivery.status.as_str(),
            attempts: delivery.attempts,
            next_attempt_at: delivery.next_attempt_at.map(Timestamp),
            response_status: delivery.response_status,
            error: delivery.error,
            duration_ms: delivery.duration_ms,
            attempted_at: delivery.attempted_at.map(Timestamp),
            delivered_at: delivery.delivered_at.map(Timestamp),
            created_at: delivery.created_at.into(),
        }
    }
}
