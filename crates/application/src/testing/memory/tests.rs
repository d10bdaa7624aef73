use std::sync::Arc;
use std::time::Duration;

use crewd_domain::shared::TenantId;

use super::InMemoryStore;
use crate::ports::{Store, StoreError, UnitOfWork};
use crate::testing::clock::FixedClock;
use crate::testing::store::{Harness, run_limited_suite, run_suite};
use crate::testing::{schedules, webhooks};

fn harness(store: Arc<InMemoryStore>) -> Harness {
    Harness {
        store: store.clone(),
        queries: store.clone(),
        queue: store.clone(),
        leases: store.clone(),
        approvals: store.clone(),
        tail: store,
        clock_step: Duration::ZERO,
    }
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    run_suite(async || harness(Arc::new(InMemoryStore::new(Arc::new(FixedClock::default()))))).await;
}

#[tokio::test]
async fn the_fake_keeps_to_rules_of_its_own() {
    run_limited_suite(async |fairness| {
        let store = Arc::new(InMemoryStore::new(Arc::new(FixedClock::default())));
        store.set_fairness(fairness);
        harness(store)
    })
    .await;
}

#[tokio::test]
async fn the_fake_keeps_the_contract_of_webhooks() {
    webhooks::run_suite(async || {
        let store = Arc::new(InMemoryStore::new(Arc::new(FixedClock::default())));
        webhooks::WebhookHarness { store: store.clone(), webhooks: store, clock_step: Duration::ZERO }
    })
    .await;
}

#[tokio::test]
async fn the_fake_keeps_the_contract_of_schedules() {
    schedules::run_suite(async || {
        let store = Arc::new(InMemoryStore::new(Arc::new(FixedClock::default())));
        schedules::ScheduleHarness { store: store.clone(), queries: store.clone(), schedules: store }
    })
    .await;
}

#[tokio::test]
async fn an_ordered_failure_comes_once() {
    let store = InMemoryStore::new(Arc::new(FixedClock::default()));
    store.fail_next_commit(StoreError::Conflict);
    let unit = UnitOfWork::new(TenantId::default_tenant());
    assert!(matches!(store.commit(unit.clone()).await, Err(StoreError::Conflict)));
    assert!(store.commit(unit).await.is_ok());
}
