//! The heartbeat beats by itself.

use std::time::Duration;

use crewd_application::ports::{LeaseRenewal, RunQueue, StoreError};
use crewd_application::testing::store::Sample;
use crewd_domain::runs::Priority;
use crewd_domain::shared::WorkerId;
use futures::future::join;
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::support::{fresh, harness, in_memory, open};
use crate::persistence::{Database, migrate_up};

const LEASE: Duration = Duration::from_secs(3_600);

/// A worker that holds one run, whose lease is over already.
async fn holder(database: &Database, sample: &Sample) -> WorkerId {
    sample.submit(&harness(database), Priority::Standard, 0).await;
    let worker = sample.worker();
    assert_eq!(database.queue().claim(worker, 1, Duration::ZERO).await.unwrap().len(), 1);
    assert_eq!(database.queue().lost(&[]).await.unwrap().len(), 1);
    worker
}

#[tokio::test]
async fn it_needs_no_other_thread() {
    let (_folder, database) = fresh().await;
    let worker = holder(&database, &Sample::default()).await;
    let leases = database.leases();
    // This runtime, and with it the writer's task, stands still meanwhile.
    let beats = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { [leases.renew(worker, LEASE).await, leases.renew(worker, LEASE).await] })
    });
    for held in beats.join().unwrap() {
        assert_eq!(held.unwrap().len(), 1);
    }
    assert!(database.queue().lost(&[]).await.unwrap().is_empty());
    // Another runtime may go on with the same connection.
    assert_eq!(database.leases().renew(worker, LEASE).await.unwrap().len(), 1);
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_waits_for_a_gap_between_other_writers() {
    let (folder, database) = fresh().await;
    let worker = holder(&database, &Sample::default()).await;
    let other = open(folder.path()).await;
    let long = other.schema_connection().begin().await.unwrap();
    long.execute_unprepared("UPDATE runs SET crash_count = 1").await.unwrap();
    let leases = database.leases();
    let end = async {
        for _ in 0..10 {
            assert_eq!(database.queue().depth().await.unwrap(), 0);
        }
        long.commit().await.unwrap();
    };
    let (held, ()) = join(leases.renew(worker, LEASE), end).await;
    assert_eq!(held.unwrap().len(), 1);
    assert!(database.queue().lost(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn it_comes_back_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let leases = database.leases();
    let refused = leases.renew(Sample::default().worker(), LEASE).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "there is no table yet: {refused:?}");
    migrate_up(&database).await.unwrap();
    let worker = holder(&database, &Sample::default()).await;
    assert_eq!(leases.renew(worker, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_beat_that_is_given_up_holds_nothing() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    let worker = holder(&database, &sample).await;
    let leases = database.leases();
    leases.renew(worker, LEASE).await.unwrap();
    for polls in 1..6 {
        let mut beat = Box::pin(leases.renew(worker, LEASE));
        for _ in 0..polls {
            let _ = futures::poll!(&mut beat);
            tokio::task::yield_now().await;
        }
        drop(beat);
        sample.submit(&harness(&database), Priority::Standard, 0).await;
    }
    assert_eq!(leases.renew(worker, LEASE).await.unwrap().len(), 1);
}

#[tokio::test]
async fn there_is_none_after_the_end() {
    let (folder, database) = fresh().await;
    let worker = holder(&database, &Sample::default()).await;
    let leases = database.leases();
    leases.renew(worker, LEASE).await.unwrap();
    database.close().await.unwrap();
    for _ in 0..2 {
        let refused = leases.renew(worker, LEASE).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }
    assert!(!folder.path().join("data/crewd.db-wal").exists(), "its connection is closed, too");

    let database = in_memory().await;
    let leases = database.leases();
    database.close().await.unwrap();
    assert!(matches!(leases.renew(worker, LEASE).await, Err(StoreError::Unavailable(_))));
}
