//! Many tenants.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crewd_application::ports::{RunQueue, Store};
use crewd_application::testing::store::Sample;
use crewd_domain::runs::Priority;
use crewd_domain::shared::TenantId;
use futures::future::join_all;
use sea_orm::ConnectionTrait;

use super::support::{fresh, harness, open};
use crate::persistence::Database;

const LEASE: Duration = Duration::from_secs(3_600);

async fn submit(database: &Database, sample: &Sample, tenants: u32, each: i64) {
    let store = database.store();
    let units: Vec<_> = (0..tenants)
        .flat_map(|tenant| (0..each).map(move |second| (tenant, second)))
        .map(|(tenant, second)| {
            let mut task = sample.queued(Priority::Standard, second);
            let owner = TenantId::try_from(format!("tenant-{tenant}")).unwrap();
            (task.task.tenant_id, task.run.tenant_id) = (owner.clone(), owner);
            task.unit()
        })
        .collect();
    for result in join_all(units.into_iter().map(|unit| store.commit(unit))).await {
        result.unwrap();
    }
}

async fn claim(database: &Database, sample: &Sample, limit: u32) -> Vec<TenantId> {
    let claimed = database.queue().claim(sample.worker(), limit, LEASE).await.unwrap();
    claimed.into_iter().map(|one| one.run.tenant_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_tenants_has_its_turn() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    submit(&database, &sample, 150, 3).await;
    for round in 1..=3 {
        let mut served: BTreeMap<TenantId, u32> = BTreeMap::new();
        for _ in 0..3 {
            for tenant in claim(&database, &sample, 50).await {
                *served.entry(tenant).or_default() += 1;
            }
        }
        assert_eq!(served.len(), 150, "round {round}");
        assert!(served.values().all(|runs| *runs == 1), "round {round}");
    }
    assert!(claim(&database, &sample, 50).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_takes_all_there_is_room_for() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    submit(&database, &sample, 70, 3).await;
    assert_eq!(claim(&database, &sample, 100).await.len(), 100, "more places than tenants of a round");
    assert_eq!(claim(&database, &sample, 500).await.len(), 110);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_that_cannot_go_on_keep_nobody_waiting() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    submit(&database, &sample, 150, 2).await;
    let one_at_a_time = "UPDATE runs SET concurrency_key = 'chat'";
    database.schema_connection().execute_unprepared(one_at_a_time).await.unwrap();
    assert_eq!(claim(&database, &sample, 500).await.len(), 150);
    let mut free = sample.queued(Priority::Standard, 9);
    let owner = TenantId::try_from("tenant-77".to_owned()).unwrap();
    (free.task.tenant_id, free.run.tenant_id) = (owner.clone(), owner.clone());
    database.store().commit(free.unit()).await.unwrap();
    assert_eq!(claim(&database, &sample, 9).await, [owner], "it alone may go on");
    assert!(claim(&database, &sample, 9).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_keys_has_its_turn() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    submit(&database, &sample, 1, 400).await;
    let keys = "UPDATE runs SET concurrency_key = 'chat-' || ((created_at / 1000000) % 200)";
    database.schema_connection().execute_unprepared(keys).await.unwrap();
    let mut keys = BTreeSet::new();
    for claims in 1..=4 {
        for claimed in database.queue().claim(sample.worker(), 50, LEASE).await.unwrap() {
            assert!(keys.insert(claimed.run.concurrency_key.unwrap()));
        }
        assert_eq!(keys.len(), claims * 50);
    }
    assert!(claim(&database, &sample, 50).await.is_empty(), "each key is worked on");
    assert_eq!(database.queue().depth().await.unwrap(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_each_goes_round_by_itself() {
    let (folder, one) = fresh().await;
    let other = open(folder.path()).await;
    let sample = Sample::default();
    submit(&one, &sample, 9, 4).await;
    let mut taken = 0;
    while taken < 36 {
        let claims = join_all([&one, &other, &one, &other].map(|database| claim(database, &sample, 3))).await;
        let claimed: usize = claims.iter().map(Vec::len).sum();
        assert!(claimed > 0);
        taken += claimed;
    }
    assert_eq!(taken, 36);
    assert_eq!(harness(&one).queue.depth().await.unwrap(), 0);
}
