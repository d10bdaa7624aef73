//! Endpoints are kept as they are given.

use crewd_domain::shared::TaskId;
use crewd_domain::webhooks::{Payload, WebhookEvent};

use super::harness::{WebhookHarness, endpoint};
use crate::ports::StoreError;
use crate::testing::store::{Sample, at, must, stranger};

pub(super) async fn an_endpoint_is_kept_whole(harness: &WebhookHarness) {
    let sample = Sample::default();
    let plain = harness.endpoint(&sample, |_| {}).await;
    let full = harness
        .endpoint(&sample, |endpoint| {
            endpoint.task_id = Some(TaskId::new(sample.id()));
            endpoint.url = format!("https://hooks.example.com/{}", "ü".repeat(2_000));
            endpoint.description = Some("for the team".to_owned());
            endpoint.events = vec![WebhookEvent::TaskFailed, WebhookEvent::DeadLetterAdded];
            endpoint.payload = Payload::Full;
            endpoint.previous_secret = Some(("older".to_owned(), at(60)));
            endpoint.timeout_seconds = 30;
            endpoint.max_concurrent = 1;
        })
        .await;
    assert_eq!(harness.read(&plain).await, plain);
    assert_eq!(harness.read(&full).await, full);
    let taken = harness.webhooks.insert(plain).await;
    assert!(matches!(&taken, Err(StoreError::Duplicate(key)) if key == "webhook_id"), "{taken:?}");
}

pub(super) async fn of_two_changes_one_wins(harness: &WebhookHarness) {
    let sample = Sample::default();
    let mut changed = harness.endpoint(&sample, |_| {}).await;
    changed.version = 2;
    changed.url = "https://hooks.example.com/other".to_owned();
    changed.events = vec![WebhookEvent::TaskQueued];
    changed.previous_secret = Some((std::mem::replace(&mut changed.secret, "newer".to_owned()), at(9)));
    must(harness.webhooks.update(changed.clone()).await);
    assert_eq!(harness.read(&changed).await, changed);

    let again = harness.webhooks.update(changed.clone()).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    let unknown = harness.webhooks.update(endpoint(&sample)).await;
    assert!(matches!(unknown, Err(StoreError::Conflict)), "{unknown:?}");
    changed.version = 3;
    changed.tenant_id = stranger();
    let foreign = harness.webhooks.update(changed).await;
    assert!(matches!(foreign, Err(StoreError::Conflict)), "{foreign:?}");
}

pub(super) async fn pages_follow_each_other(harness: &WebhookHarness) {
    let sample = Sample::default();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(harness.endpoint(&sample, |_| {}).await.id);
        harness.endpoint(&sample, |endpoint| endpoint.task_id = Some(TaskId::new(sample.id()))).await;
    }
    ids.reverse();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = must(harness.webhooks.endpoints(sample.tenant(), before, 2).await);
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|endpoint| endpoint.id));
    }
    assert_eq!(seen, ids, "those of single tasks are left out");
}

pub(super) async fn other_tenants_see_nothing(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    let submitted = harness.submit_and_expand(&sample).await;
    assert_eq!(must(harness.webhooks.endpoint(&stranger(), endpoint.id).await), None);
    assert_eq!(must(harness.webhooks.endpoints(&stranger(), None, 10).await), []);
    assert!(!must(harness.webhooks.delete(&stranger(), endpoint.id).await));
    assert_eq!(must(harness.webhooks.deliveries(&stranger(), endpoint.id, None, None, 10).await), []);
    let log = harness.log(sample.tenant(), endpoint.id).await;
    assert_eq!(log.iter().map(|delivery| delivery.message.task_id).collect::<Vec<_>>(), [submitted.task.id]);
    for delivery in log {
        assert_eq!(must(harness.webhooks.redeliver(&stranger(), endpoint.id, delivery.id).await), None);
    }
}
