//! Claims and what comes of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crewd_domain::webhooks::DeliveryStatus;
use futures::future::join_all;
use uuid::Uuid;

use super::harness::{LEASE, WebhookHarness, outcome};
use crate::ports::AttemptOutcome;
use crate::testing::store::{Sample, must};

/// The one delivery that is due.
async fn claim_one(harness: &WebhookHarness, lease: Duration) -> crate::ports::Delivery {
    let mut claimed = harness.claim(10, lease).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.remove(0).delivery
}

pub(super) async fn a_delivery_is_claimed_once(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |endpoint| endpoint.max_concurrent = 1_000).await;
    for _ in 0..30 {
        harness.submit(&sample).await;
    }
    assert_eq!(must(harness.webhooks.expand(100).await), 30);
    let mut seen = Vec::new();
    harness.settle().await;
    for _ in 0..20 {
        let webhooks = (0..4).map(|_| Arc::clone(&harness.webhooks));
        let claims = join_all(webhooks.map(|webhooks| async move { webhooks.claim(3, LEASE).await })).await;
        seen.extend(claims.into_iter().flat_map(must));
    }
    let ids: BTreeSet<Uuid> = seen.iter().map(|due| due.delivery.id).collect();
    assert_eq!((seen.len(), ids.len()), (30, 30));
    for due in seen {
        assert_eq!(due.endpoint, endpoint);
        assert_eq!((due.delivery.attempts, due.delivery.status), (1, DeliveryStatus::Pending));
        assert!(due.delivery.attempted_at.is_some());
        assert!(due.delivery.next_attempt_at > due.delivery.attempted_at, "it is due again when the lease ends");
    }
}

pub(super) async fn an_attempt_without_report_is_made_again(harness: &WebhookHarness) {
    let sample = Sample::default();
    harness.endpoint(&sample, |endpoint| endpoint.max_concurrent = 1).await;
    harness.submit_and_expand(&sample).await;
    let first = claim_one(harness, Duration::ZERO).await;
    let second = claim_one(harness, LEASE).await;
    assert_eq!((second.id, first.attempts, second.attempts), (first.id, 1, 2));
    assert_eq!(second.message, first.message);
    assert_eq!(harness.claim(10, LEASE).await, []);
}

pub(super) async fn what_has_arrived_is_done(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    harness.submit_and_expand(&sample).await;
    let claimed = claim_one(harness, LEASE).await;
    must(harness.webhooks.report(outcome(claimed.id, DeliveryStatus::Delivered, Some(Duration::ZERO))).await);
    let log = harness.log(sample.tenant(), endpoint.id).await;
    let Some(delivery) = log.first() else { unreachable!("it is in the log") };
    assert_eq!((delivery.status, delivery.next_attempt_at), (DeliveryStatus::Delivered, None));
    assert_eq!((delivery.response_status, delivery.duration_ms), (Some(204), Some(12)));
    assert_eq!((delivery.error.clone(), delivery.attempts), (None, 1));
    assert!(delivery.delivered_at >= delivery.attempted_at);
    assert_eq!(harness.claim(10, LEASE).await, []);
    must(harness.webhooks.report(outcome(sample.id(), DeliveryStatus::Delivered, None)).await);
}

pub(super) async fn what_has_failed_waits_for_its_time(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    harness.submit_and_expand(&sample).await;
    let first = claim_one(harness, LEASE).await;
    must(harness.webhooks.report(outcome(first.id, DeliveryStatus::Pending, Some(Duration::ZERO))).await);
    let second = claim_one(harness, LEASE).await;
    assert_eq!(second.attempts, 2);
    assert_eq!((second.response_status, second.error.as_deref()), (Some(500), Some("the receiver answered 500")));
    must(harness.webhooks.report(outcome(first.id, DeliveryStatus::Pending, Some(LEASE))).await);
    assert_eq!(harness.claim(10, LEASE).await, [], "not before its time");
    let log = harness.log(sample.tenant(), endpoint.id).await;
    assert!(log.iter().all(|one| one.next_attempt_at > one.attempted_at));

    harness.submit_and_expand(&sample).await;
    let third = claim_one(harness, LEASE).await;
    must(harness.webhooks.report(outcome(third.id, DeliveryStatus::Failed, None)).await);
    assert_eq!(harness.claim(10, LEASE).await, []);
    let failed = must(harness.webhooks.deliveries(sample.tenant(), endpoint.id, Some(DeliveryStatus::Failed), None, 9).await);
    assert_eq!(failed.iter().map(|one| (one.id, one.next_attempt_at)).collect::<Vec<_>>(), [(third.id, None)]);
}

pub(super) async fn a_late_success_counts_and_a_late_failure_does_not(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    harness.submit_and_expand(&sample).await;
    let claimed = claim_one(harness, LEASE).await;
    must(harness.webhooks.report(outcome(claimed.id, DeliveryStatus::Failed, None)).await);
    must(harness.webhooks.report(outcome(claimed.id, DeliveryStatus::Pending, Some(Duration::ZERO))).await);
    let status = async || harness.log(sample.tenant(), endpoint.id).await.first().map(|one| one.status);
    assert_eq!(status().await, Some(DeliveryStatus::Failed));
    must(harness.webhooks.report(outcome(claimed.id, DeliveryStatus::Delivered, None)).await);
    assert_eq!(status().await, Some(DeliveryStatus::Delivered));
    must(harness.webhooks.report(outcome(claimed.id, DeliveryStatus::Failed, None)).await);
    assert_eq!(status().await, Some(DeliveryStatus::Delivered));
}

pub(super) async fn the_clock_of_failures_runs_until_a_success(harness: &WebhookHarness) {
    let sample = Sample::default();
    let endpoint = harness.endpoint(&sample, |_| {}).await;
    harness.submit_and_expand(&sample).await;
    let attempt = async |status, retry_after| {
        let claimed = claim_one(harness, LEASE).await;
        must(harness.webhooks.report(outcome(claimed.id, status, retry_after)).await);
        harness.read(&endpoint).await.failing_since
    };
    let first = attempt(DeliveryStatus::Pending, Some(Duration::ZERO)).await;
    assert!(first.is_some());
    assert_eq!(attempt(DeliveryStatus::Pending, Some(Duration::ZERO)).await, first, "since the first failure");
    assert_eq!(harness.read(&endpoint).await.version, endpoint.version, "its owner's changes do not collide with it");

    // A change leaves the clock alone, or ends it.
    let mut changed = harness.read(&endpoint).await;
    changed.version += 1;
    changed.failing_since = Some(endpoint.created_at);
    must(harness.webhooks.update(changed.clone()).await);
    assert_eq!(harness.read(&endpoint).await.failing_since, first);
    assert_eq!(attempt(DeliveryStatus::Delivered, None).await, None);
    changed.version += 1;
    must(harness.webhooks.update(changed.clone()).await);
    assert_eq!(harness.read(&endpoint).await.failing_since, None);
    harness.submit_and_expand(&sample).await;
    assert!(attempt(DeliveryStatus::Pending, Some(LEASE)).await.is_some());
    changed.version += 1;
    changed.failing_since = None;
    must(harness.webhooks.update(changed).await);
    assert_eq!(harness.read(&endpoint).await.failing_since, None);
    let ended = AttemptOutcome { disable_endpoint: None, ..outcome(sample.id(), DeliveryStatus::Failed, None) };
    must(harness.webhooks.report(ended).await);
    assert_eq!(harness.read(&endpoint).await.failing_since, None, "an unknown delivery is nobody's");
}
