//! What is told. The same message has the same body at every attempt.

use bytes::Bytes;
use chrono::SecondsFormat;
use crewd_domain::webhooks::{Payload, WebhookEvent};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::ports::OutboxMessage;

/// Bytes of an event's data that are told; larger ones are left to be fetched.
const LARGEST_DATA: usize = 256 * 1024;

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    event: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    task_id: String,
    run_id: String,
    crew: Option<&'a str>,
    status: &'a str,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval_id: Option<String>,
    links: Links,
    /// Of a full payload: the event's own data, or a note that it is too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_omitted: Option<bool>,
}

#[derive(Serialize)]
struct Links {
    task: String,
    events: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<String>,
}

/// The body for a message: thin, or with the event's own data.
///
/// # Errors
/// None that is known: every part can be written as JSON.
pub(super) fn body(message: &OutboxMessage, crew: Option<&str>, payload: Payload) -> serde_json::Result<Bytes> {
    let facts: Value = serde_json::from_str(&message.data).unwrap_or_default();
    let fact = |name: &str| facts.get(name).and_then(Value::as_str).map(str::to_owned);
    let approval_id = fact("approval_id").filter(|_| message.event == WebhookEvent::ApprovalRequested);
    let is_large = message.data.len() > LARGEST_DATA;
    let wants_data = payload == Payload::Full;
    let data: Option<&RawValue> = if wants_data && !is_large { serde_json::from_str(&message.data).ok() } else { None };
    let task = format!("/api/v1/tasks/{}", message.task_id);
    let body = Body {
        event: message.event.as_str(),
        timestamp: message.created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        data: Data {
            task_id: message.task_id.to_string(),
            run_id: message.run_id.to_string(),
            crew,
            status: status_of(message.event),
            seq: message.seq,
            waiting_for: fact("reason").filter(|_| message.event == WebhookEvent::TaskWaiting),
            links: Links {
                events: format!("{task}/events"),
                approval: approval_id.as_ref().map(|id| format!("/api/v1/approvals/{id}")),
                task,
            },
            approval_id,
            event: data,
            event_omitted: (wants_data && is_large).then_some(true),
        },
    };
    serde_json::to_vec(&body).map(Bytes::from)
}

/// Where the task stood when it happened.
const fn status_of(event: WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::TaskQueued => "queued",
        WebhookEvent::TaskWaiting | WebhookEvent::ApprovalRequested => "waiting",
        WebhookEvent::TaskSucceeded => "succeeded",
        WebhookEvent::TaskFailed | WebhookEvent::DeadLetterAdded => "failed",
        WebhookEvent::TaskCancelled => "cancelled",
        WebhookEvent::TaskIncomplete => "incomplete",
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use crewd_domain::shared::{RunId, TaskId, TenantId};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn message(event: WebhookEvent, data: String) -> OutboxMessage {
        OutboxMessage {
            id: Uuid::from_u128(9),
            tenant_id: TenantId::default_tenant(),
            task_id: TaskId::new(Uuid::from_u128(1)),
            run_id: RunId::new(Uuid::from_u128(2)),
            event,
            seq: 7,
            data,
            created_at: DateTime::from_timestamp(1_767_225_600, 0).unwrap(),
        }
    }

    fn told(message: &OutboxMessage, payload: Payload) -> Value {
        serde_json::from_slice(&body(message, Some("tea"), payload).unwrap()).unwrap()
    }

    #[test]
    fn a_thin_body_has_ids_and_links() {
        let data = json!({"output": {"raw": "secret text"}}).to_string();
        let thin = told(&message(WebhookEvent::TaskSucceeded, data.clone()), Payload::Thin);
        let task = Uuid::from_u128(1);
        assert_eq!(
            thin,
            json!({"type": "task.succeeded", "timestamp": "2026-01-01T00:00:00.000Z", "data": {
                "task_id": task, "run_id": Uuid::from_u128(2), "crew": "tea", "status": "succeeded", "seq": 7,
                "links": {"task": format!("/api/v1/tasks/{task}"), "events": format!("/api/v1/tasks/{task}/events")}}})
        );
        let full = told(&message(WebhookEvent::TaskSucceeded, data), Payload::Full);
        assert_eq!(full["data"]["event"]["output"]["raw"], "secret text");
    }

    #[test]
    fn questions_and_waits_name_what_is_wanted() {
        let asked = told(
            &message(WebhookEvent::ApprovalRequested, json!({"approval_id": "a", "reason": "x"}).to_string()),
            Payload::Thin,
        );
        assert_eq!(
            (&asked["data"]["approval_id"], &asked["data"]["links"]["approval"]),
            (&json!("a"), &json!("/api/v1/approvals/a"))
        );
        assert_eq!(asked["data"].get("waiting_for"), None);
        let waits = told(&message(WebhookEvent::TaskWaiting, json!({"reason": "approval"}).to_string()), Payload::Thin);
        assert_eq!((&waits["data"]["waiting_for"], &waits["data"]["status"]), (&json!("approval"), &json!("waiting")));
    }

    #[test]
    fn large_data_is_left_to_be_fetched() {
        let large = message(WebhookEvent::TaskSucceeded, json!({"output": "x".repeat(LARGEST_DATA)}).to_string());
        let full = told(&large, Payload::Full);
        assert_eq!((full["data"].get("event"), &full["data"]["event_omitted"]), (None, &json!(true)));
        assert!(body(&large, Some(&"x".repeat(200)), Payload::Thin).unwrap().len() < 20_000);
    }
}
