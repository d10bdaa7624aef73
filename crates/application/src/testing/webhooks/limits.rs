//! How much is sent at once.

use std::sync::Arc;
use std::time::Duration;

use crewd_domain::webhooks::DeliveryStatus;
use futures::future::join_all;

use super::harness::{LEASE, WebhookHarness, outcome};
use crate::testing::store::{Sample, must};

pub(super) async fn an_endpoint_gets_no_more_at_once_than_it_bears(harness: &WebhookHarness) {
    let sample = Sample::default();
    harness.endpoint(&sample, |endpoint| endpoint.max_concurrent = 2).await;
    for _ in 0..5 {
        harness.submit(&sample).await;
    }
    assert_eq!(must(harness.webhooks.expand(10).await), 5);
    let first = harness.claim(10, LEASE).await;
    assert_eq!(first.len(), 2);
    assert_eq!(harness.claim(10, LEASE).await, []);
    for due in first.iter().take(1) {
        must(harness.webhooks.report(outcome(due.delivery.id, DeliveryStatus::Delivered, None)).await);
    }
    assert_eq!(harness.claim(1, Duration::ZERO).await.len(), 1, "one place is free");
    assert_eq!(harness.claim(1, LEASE).await.len(), 1, "and again when the lease has ended");
    assert_eq!(harness.claim(10, LEASE).await, []);
}

pub(super) async fn many_claimers_keep_the_limit(harness: &WebhookHarness) {
    let sample = Sample::default();
    harness.endpoint(&sample, |endpoint| endpoint.max_concurrent = 3).await;
    for _ in 0..20 {
        harness.submit(&sample).await;
    }
    assert_eq!(must(harness.webhooks.expand(100).await), 20);
    harness.settle().await;
    let claimers = (1..=8).map(|limit| {
        let webhooks = Arc::clone(&harness.webhooks);
        async move { webhooks.claim(limit, LEASE).await }
    });
    let claimed: Vec<_> = join_all(claimers).await.into_iter().flat_map(must).collect();
    assert!((1..=3).contains(&claimed.len()), "{}", claimed.len());
    let rest = harness.claim(10, LEASE).await;
    assert_eq!(claimed.len() + rest.len(), 3);
}

pub(super) async fn a_busy_endpoint_hides_no_other(harness: &WebhookHarness) {
    let sample = Sample::default();
    let busy = harness.endpoint(&sample, |endpoint| endpoint.max_concurrent = 1).await;
    for _ in 0..60 {
        harness.submit(&sample).await;
    }
    assert_eq!(must(harness.webhooks.expand(100).await), 60);
    let other = harness.endpoint(&sample, |_| {}).await;
    harness.submit_and_expand(&sample).await;
    let mut claimed: Vec<_> = harness.claim(4, LEASE).await.into_iter().map(|due| due.endpoint.id).collect();
    claimed.sort();
    let mut both = [busy.id, other.id];
    both.sort();
    assert_eq!(claimed, both);
}
