//! The contract suite of the ports.

use std::sync::{Arc, Mutex};

use crewd_application::testing::store::{Harness, run_limited_suite, run_suite};

use super::support::{fresh, harness};
use crate::persistence::{Database, DatabaseConfig, migrate_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_keeps_the_contract() {
    let folders = Mutex::new(Vec::new());
    run_suite(async || {
        let (folder, database) = fresh().await;
        folders.lock().unwrap().push(folder);
        harness(&database)
    })
    .await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    run_suite(async || {
        let database = Database::connect(DatabaseConfig::new("sqlite::memory:")).await.unwrap();
        migrate_up(&database).await.unwrap();
        harness(&database)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_keeps_to_its_own_rules() {
    let folders = Mutex::new(Vec::new());
    run_limited_suite(async |fairness| {
        let (folder, database) = fresh().await;
        folders.lock().unwrap().push(folder);
        Harness { queue: Arc::new(database.queue().with_fairness(fairness)), ..harness(&database) }
    })
    .await;
}
