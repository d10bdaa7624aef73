//! The contract suites of webhooks and schedules, and what several processes do to each other.

use std::sync::{Arc, Mutex};

use crewd_application::testing::schedules::ScheduleHarness;
use crewd_application::testing::webhooks::WebhookHarness;
use crewd_application::testing::{schedules, webhooks};

use super::support::{fresh, in_memory};
use crate::persistence::Database;

fn webhook_harness(database: &Database) -> WebhookHarness {
    WebhookHarness { store: Arc::new(database.store()), webhooks: Arc::new(database.webhooks()) }
}

fn schedule_harness(database: &Database) -> ScheduleHarness {
    ScheduleHarness {
        store: Arc::new(database.store()),
        queries: Arc::new(database.queries()),
        schedules: Arc::new(database.schedules()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_contract_of_webhooks() {
    let folders = Mutex::new(Vec::new());
    webhooks::run_suite(async || {
        let (folder, database) = fresh().await;
        folders.lock().unwrap().push(folder);
        webhook_harness(&database)
    })
    .await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_webhooks() {
    webhooks::run_suite(async || webhook_harness(&in_memory().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_contract_of_schedules() {
    let folders = Mutex::new(Vec::new());
    schedules::run_suite(async || {
        let (folder, database) = fresh().await;
        folders.lock().unwrap().push(folder);
        schedule_harness(&database)
    })
    .await;
}

#[tokio::test]
async fn memory_keeps_the_contract_of_schedules() {
    schedules::run_suite(async || schedule_harness(&in_memory().await)).await;
}
