//! What the outside is told of an event, and under which ids.
//!
//! Ids are derived, not drawn: whoever writes a message or a delivery a second time writes the same one.

use crewd_domain::runs::{Event, EventKind};
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::WebhookEvent;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::ports::OutboxMessage;

/// What is asked of the data of a failure.
#[derive(Deserialize)]
struct FailureData {
    #[serde(default)]
    dead_letter: bool,
}

/// The messages that an event gives: none for most, two for a failure that becomes a dead letter.
#[must_use]
pub fn outbox_messages(event: &Event, tenant: &TenantId) -> Vec<OutboxMessage> {
    let Some(first) = WebhookEvent::of(event.kind) else { return Vec::new() };
    let mut messages = vec![message(event, tenant, first)];
    if event.kind == EventKind::TaskFailed && is_dead_letter(event) {
        messages.push(message(event, tenant, WebhookEvent::DeadLetterAdded));
    }
    messages
}

/// The id of a message's delivery to an endpoint. Ids of an endpoint's deliveries rise with the messages' instants.
#[must_use]
pub fn delivery_id(message: &OutboxMessage, endpoint: WebhookId) -> Uuid {
    derived(message.created_at.timestamp_millis(), &[message.id.as_bytes(), endpoint.as_uuid().as_bytes()])
}

fn message(event: &Event, tenant: &TenantId, what: WebhookEvent) -> OutboxMessage {
    let task = event.task_id.as_uuid();
    let parts: [&[u8]; 3] = [task.as_bytes(), &event.seq.to_be_bytes(), what.as_str().as_bytes()];
    OutboxMessage {
        id: derived(event.at.timestamp_millis(), &parts),
        tenant_id: tenant.clone(),
        task_id: event.task_id,
        run_id: event.run_id,
        event: what,
        seq: event.seq,
        data: event.data.get().to_owned(),
        created_at: event.at,
    }
}

fn is_dead_letter(event: &Event) -> bool {
    serde_json::from_str::<FailureData>(event.data.get()).is_ok_and(|data| data.dead_letter)
}

/// An id in the form of version 7: an instant, then the head of a hash in place of chance.
fn derived(millis: i64, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut tail = [0; 10];
    for (to, from) in tail.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    Builder::from_unix_timestamp_millis(u64::try_from(millis).unwrap_or_default(), &tail).into_uuid()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use crewd_domain::runs::EventDraft;
    use crewd_domain::shared::{RunId, TaskId};
    use serde_json::{Value, json};

    use super::*;

    fn event(kind: EventKind, seq: u64, data: Value) -> Event {
        let at = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        EventDraft::of_run(kind, data).number(seq, TaskId::new(Uuid::from_u128(1)), RunId::new(Uuid::from_u128(2)), at)
    }

    fn messages(event: &Event) -> Vec<OutboxMessage> {
        outbox_messages(event, &TenantId::default_tenant())
    }

    #[test]
    fn most_events_stay_inside() {
        assert_eq!(messages(&event(EventKind::LlmDelta, 3, json!({}))), []);
        let told: Vec<_> = EventKind::ALL.iter().filter(|kind| !messages(&event(**kind, 1, json!({}))).is_empty()).collect();
        assert_eq!(told.len(), 7);
    }

    #[test]
    fn a_dead_letter_is_told_of_by_itself() {
        let named =
            |data: Value| messages(&event(EventKind::TaskFailed, 9, data)).iter().map(|one| one.event).collect::<Vec<_>>();
        assert_eq!(named(json!({"dead_letter": true})), [WebhookEvent::TaskFailed, WebhookEvent::DeadLetterAdded]);
        assert_eq!(named(json!({"dead_letter": false})), [WebhookEvent::TaskFailed]);
        assert_eq!(named(json!({"dead_letter": "true"})), [WebhookEvent::TaskFailed]);
        assert_eq!(named(json!(null)), [WebhookEvent::TaskFailed]);
        assert_eq!(messages(&event(EventKind::TaskSucceeded, 9, json!({"dead_letter": true}))).len(), 1);
    }

    #[test]
    fn ids_depend_on_nothing_but_task_number_and_name() {
        let first = messages(&event(EventKind::TaskFailed, 9, json!({"dead_letter": true})));
        let again = messages(&event(EventKind::TaskFailed, 9, json!({"dead_letter": true, "more": 1})));
        assert_eq!((first[0].id, first[1].id), (again[0].id, again[1].id));
        assert_ne!(first[0].id, first[1].id);
        assert_ne!(first[0].id, messages(&event(EventKind::TaskFailed, 10, json!({})))[0].id);
        assert_eq!(first[0].id.get_version_num(), 7);
    }

    #[test]
    fn each_endpoint_has_its_delivery() {
        let message = &messages(&event(EventKind::TaskSucceeded, 9, json!({})))[0];
        let (one, other) = (WebhookId::new(Uuid::from_u128(1)), WebhookId::new(Uuid::from_u128(2)));
        assert_eq!(delivery_id(message, one), delivery_id(message, one));
        assert_ne!(delivery_id(message, one), delivery_id(message, other));
        let mut later = message.clone();
        later.created_at += chrono::TimeDelta::seconds(1);
        assert!(delivery_id(message, one) < delivery_id(&later, one));
    }
}
