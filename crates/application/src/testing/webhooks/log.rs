//! The log of deliveries, and deliveries to endpoints that are disabled or gone.

use std::time::Duration;

use crewd_domain::webhooks::DeliveryStatus;
use uuid::Uuid;

use super::harness::{LEASE, WebhookHarness, outcome};
use crate::ports::AttemptOutcome;
use crate::testing::store::{Sample, at, must};

pub(super) async fn deliveries_are_listed_newest_first(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    for _ in 0..5 {
        harness.submit_and_expand(&sample).await;
    }
    let all: Vec<Uuid> = harness.log(sample.tenant(), endpoint.id).await.iter().map(|one| one.id).collect();
    let mut sorted = all.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!((all.len(), &all), (5, &sorted));
    for due in harness.claim(2, LEASE).await {
        must(harness.webhooks.report(outcome(due.delivery.id, DeliveryStatus::Delivered, None)).await);
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = harness.webhooks.deliveries(sample.tenant(), endpoint.id, Some(DeliveryStatus::Pending), before, 2).await;
        let page = must(page);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|one| one.id));
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.is_sorted_by(|a, b| a > b));
}

pub(super) async fn what_waits_for_a_disabled_endpoint_fails(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |endpoint| endpoint.max_concurrent = 1).await;
    let spared = harness.endpoint(&sample, |_| {}).await;
    for _ in 0..3 {
        harness.submit_and_expand(&sample).await;
    }
    let claimed = harness.claim(10, LEASE).await;
    let Some(mine) = claimed.iter().find(|due| due.endpoint.id == endpoint.id) else { unreachable!("it was due") };
    let gone = Some("the receiver answered 410".to_owned());
    must(
        harness
            .webhooks
            .report(AttemptOutcome { disable_endpoint: gone.clone(), ..outcome(mine.delivery.id, DeliveryStatus::Failed, None) })
            .await,
    );
    let disabled = harness.read(&endpoint).await;
    assert_eq!((disabled.disabled.as_ref().map(|(_, reason)| reason), disabled.version), (gone.as_ref(), 2));
    let log = harness.log(sample.tenant(), endpoint.id).await;
    assert!(log.iter().all(|one| one.status == DeliveryStatus::Failed && one.next_attempt_at.is_none()), "{log:?}");
    assert!(log.iter().all(|one| one.error.is_some()));
    let spared_log = harness.log(sample.tenant(), spared.id).await;
    assert!(spared_log.iter().all(|one| one.status == DeliveryStatus::Pending));
    let again = must(harness.webhooks.redeliver(sample.tenant(), endpoint.id, mine.delivery.id).await);
    assert_eq!(again.map(|one| one.status), Some(DeliveryStatus::Failed), "nothing is sent to it");
    harness.submit_and_expand(&sample).await;
    assert_eq!(harness.log(sample.tenant(), endpoint.id).await.len(), 3, "nor told");

    let mut changed = harness.read(&spared).await;
    changed.version += 1;
    changed.disabled = Some((at(5), "by hand".to_owned()));
    must(harness.webhooks.update(changed.clone()).await);
    assert_eq!(harness.read(&spared).await, changed);
    assert!(harness.log(sample.tenant(), spared.id).await.iter().all(|one| one.status == DeliveryStatus::Failed));
    changed.version += 1;
    changed.disabled = None;
    must(harness.webhooks.update(changed).await);
    assert_eq!(harness.claim(10, LEASE).await, [], "what was given up stays given up");
    harness.submit_and_expand(&sample).await;
    assert_eq!(harness.claim(10, LEASE).await.len(), 1);
}

pub(super) async fn what_waits_for_a_deleted_endpoint_fails(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    harness.submit_and_expand(&sample).await;
    harness.submit_and_expand(&sample).await;
    let claimed = harness.claim(1, LEASE).await;
    assert!(must(harness.webhooks.delete(sample.tenant(), endpoint.id).await));
    assert!(!must(harness.webhooks.delete(sample.tenant(), endpoint.id).await));
    assert_eq!(must(harness.webhooks.endpoint(sample.tenant(), endpoint.id).await), None);
    let log = harness.log(sample.tenant(), endpoint.id).await;
    assert_eq!(log.iter().map(|one| one.status).collect::<Vec<_>>(), [DeliveryStatus::Failed; 2]);
    assert_eq!(harness.claim(10, LEASE).await, []);
    for due in claimed {
        must(harness.webhooks.report(outcome(due.delivery.id, DeliveryStatus::Delivered, None)).await);
        assert_eq!(must(harness.webhooks.redeliver(sample.tenant(), endpoint.id, due.delivery.id).await), None);
    }
    let log = harness.log(sample.tenant(), endpoint.id).await;
    assert_eq!(log.iter().filter(|one| one.status == DeliveryStatus::Delivered).count(), 1, "it was under way");
}

pub(super) async fn a_delivery_is_made_due_again(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    harness.submit_and_expand(&sample).await;
    for status in [DeliveryStatus::Failed, DeliveryStatus::Delivered, DeliveryStatus::Pending] {
        let claimed = harness.claim(10, LEASE).await;
        assert_eq!(claimed.len(), 1);
        for due in claimed {
            must(harness.webhooks.report(outcome(due.delivery.id, status, Some(LEASE))).await);
            assert_eq!(harness.claim(10, LEASE).await, []);
            let again = must(harness.webhooks.redeliver(sample.tenant(), endpoint.id, due.delivery.id).await);
            let Some(again) = again else { unreachable!("it is in the log") };
            assert_eq!((again.status, again.attempts, again.delivered_at), (DeliveryStatus::Pending, 0, None));
            assert_eq!(again.message.id, due.delivery.message.id);
            assert!(again.next_attempt_at.is_some_and(|next| Some(next) >= again.attempted_at));
        }
    }
    assert_eq!(harness.claim(10, Duration::ZERO).await.len(), 1);
    assert_eq!(must(harness.webhooks.redeliver(sample.tenant(), endpoint.id, sample.id()).await), None);
}
