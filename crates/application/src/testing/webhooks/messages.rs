//! Events become messages in the transaction that writes them, and messages become deliveries once.

use std::sync::Arc;

use crewd_domain::runs::{EventKind, Priority};
use crewd_domain::webhooks::{DeliveryStatus, WebhookEvent};
use futures::future::join_all;
use serde_json::{Value, json};

use super::harness::{LEASE, WebhookHarness, endpoint, telling};
use crate::ports::{Change, StoreError};
use crate::testing::store::{Sample, at, event, must, stranger};

pub(super) async fn nobody_is_told_without_an_endpoint(harness: &WebhookHarness) {
    let sample = Sample::default();
    harness.endpoint(&sample, |endpoint| endpoint.tenant_id = stranger()).await;
    harness.endpoint(&sample, |endpoint| endpoint.task_id = Some(crewd_domain::shared::TaskId::new(sample.id()))).await;
    harness.endpoint(&sample, |endpoint| endpoint.disabled = Some((at(1), "gone".to_owned()))).await;
    let submitted = harness.submit(&sample).await;
    harness.tell(&submitted, EventKind::TaskSucceeded, 2, json!({})).await;
    assert_eq!(must(harness.webhooks.expand(10).await), 0);
    // Who comes later is not told of what was before.
    harness.endpoint(&sample, |_| {}).await;
    assert_eq!(must(harness.webhooks.expand(10).await), 0);
    assert_eq!(harness.claim(10, LEASE).await, []);
}

pub(super) async fn each_endpoint_gets_what_it_wants(harness: &WebhookHarness) {
    let sample = Sample::default();
    let other = harness.submit(&sample).await;
    let all = harness.endpoint(&sample, |_| {}).await;
    let ends = [WebhookEvent::TaskSucceeded, WebhookEvent::TaskFailed];
    let some = harness.endpoint(&sample, |endpoint| endpoint.events = ends.to_vec()).await;
    let of_other = harness.endpoint(&sample, |endpoint| endpoint.task_id = Some(other.task.id)).await;
    let submitted = harness.submit(&sample).await;
    harness.tell(&submitted, EventKind::LlmDelta, 2, json!({"text": "x"})).await;
    harness.tell(&submitted, EventKind::TaskWaiting, 3, json!({"for": "approval"})).await;
    harness.tell(&submitted, EventKind::TaskSucceeded, 4, json!({"ok": "ü"})).await;
    harness.tell(&other, EventKind::TaskCancelled, 2, json!({})).await;
    assert_eq!(must(harness.webhooks.expand(10).await), 4);
    assert_eq!(must(harness.webhooks.expand(10).await), 0);

    use WebhookEvent::{TaskCancelled, TaskQueued, TaskSucceeded, TaskWaiting};
    assert_eq!(harness.told(&all).await, [TaskQueued, TaskCancelled, TaskWaiting, TaskSucceeded]);
    assert_eq!(harness.told(&some).await, [TaskSucceeded]);
    assert_eq!(harness.told(&of_other).await, [TaskCancelled]);

    let told_some = harness.log(sample.tenant(), some.id).await;
    let Some(delivery) = told_some.first() else { unreachable!("it was told") };
    let message = &delivery.message;
    assert_eq!((message.task_id, message.run_id, message.seq), (submitted.task.id, submitted.run.id, 4));
    assert_eq!((message.tenant_id.clone(), message.created_at), (sample.tenant().clone(), at(4)));
    assert_eq!(serde_json::from_str::<Value>(&message.data).ok(), Some(json!({"ok": "ü"})));
    assert_eq!((delivery.status, delivery.attempts, delivery.attempted_at), (DeliveryStatus::Pending, 0, None));
    assert_eq!(delivery.next_attempt_at, Some(delivery.created_at));
    let told_all = harness.log(sample.tenant(), all.id).await;
    let same = told_all.iter().find(|one| one.message.id == message.id);
    assert!(same.is_some_and(|same| same.id != delivery.id), "one message, one delivery for each");
}

pub(super) async fn an_endpoint_of_the_same_unit_is_told(harness: &WebhookHarness) {
    let sample = Sample::default();
    let submitted = sample.queued(Priority::Standard, 0);
    let mut own = endpoint(&sample);
    own.task_id = Some(submitted.task.id);
    let mut unit = submitted.unit();
    unit.push(Change::InsertWebhook(Box::new(own.clone())));
    must(harness.store.commit(unit).await);
    assert_eq!(harness.read(&own).await, own);
    assert_eq!(must(harness.webhooks.expand(10).await), 1);
    assert_eq!(harness.told(&own).await, [WebhookEvent::TaskQueued]);

    let mut foreign = sample.queued(Priority::Standard, 0).unit();
    foreign.push(Change::InsertWebhook(Box::new(crewd_domain::webhooks::WebhookEndpoint {
        tenant_id: stranger(),
        ..endpoint(&sample)
    })));
    assert!(harness.store.commit(foreign).await.is_err());
    let mut twice = sample.queued(Priority::Standard, 0).unit();
    twice.push(Change::InsertWebhook(Box::new(own)));
    let refused = harness.store.commit(twice).await;
    assert!(matches!(&refused, Err(StoreError::Duplicate(key)) if key == "webhook_id"), "{refused:?}");
}

pub(super) async fn a_failed_unit_tells_nobody(harness: &WebhookHarness) {
    let sample = Sample::default();
    harness.endpoint(&sample, |_| {}).await;
    let submitted = harness.submit_and_expand(&sample).await;
    let mut unit = telling(&submitted, EventKind::TaskSucceeded, 2, json!({}));
    unit.push(event(&submitted.run, EventKind::Log, 1));
    let refused = harness.store.commit(unit).await;
    assert!(matches!(&refused, Err(StoreError::Duplicate(_))), "{refused:?}");
    assert_eq!(must(harness.webhooks.expand(10).await), 0);
}

pub(super) async fn a_dead_letter_is_told_of_twice(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    let letters = harness.endpoint(&sample, |endpoint| endpoint.events = vec![WebhookEvent::DeadLetterAdded]).await;
    let submitted = harness.submit_and_expand(&sample).await;
    harness.tell(&submitted, EventKind::TaskFailed, 2, json!({"dead_letter": true})).await;
    assert_eq!(must(harness.webhooks.expand(10).await), 2);
    let told = harness.told(&endpoint).await;
    assert_eq!(told, [WebhookEvent::TaskQueued, WebhookEvent::DeadLetterAdded, WebhookEvent::TaskFailed]);
    assert_eq!(harness.told(&letters).await, [WebhookEvent::DeadLetterAdded]);
}

pub(super) async fn messages_are_turned_once(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    for _ in 0..40 {
        harness.submit(&sample).await;
    }
    let mut turned = 0;
    for _ in 0..20 {
        let webhooks = (0..4).map(|_| Arc::clone(&harness.webhooks));
        let counts = join_all(webhooks.map(|webhooks| async move { webhooks.expand(7).await })).await;
        turned += counts.into_iter().map(must).sum::<u32>();
    }
    assert_eq!(turned, 40);
    assert_eq!(harness.log(sample.tenant(), endpoint.id).await.len(), 40);
}

pub(super) async fn a_message_nobody_wants_any_more_is_forgotten(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    harness.submit(&sample).await;
    assert!(must(harness.webhooks.delete(sample.tenant(), endpoint.id).await));
    assert_eq!(must(harness.webhooks.expand(10).await), 1);
    assert_eq!(must(harness.webhooks.expand(10).await), 0);
    assert_eq!(harness.log(sample.tenant(), endpoint.id).await, []);
}
