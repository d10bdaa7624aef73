//! Several processes on one file, crashes and long writes.

use std::time::Duration;

use crewd_application::ports::{Change, RunQueries, RunUpdate, StoreError, UnitOfWork};
use crewd_application::testing::store::Sample;
use crewd_domain::runs::Priority;
use futures::future::{join, join_all};
use sea_orm::{ConnectionTrait, TransactionTrait};

use super::support::{fresh, harness, open};
use crate::persistence::{PoolState, is_current, migrate_up};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_lose_no_update() {
    let (folder, one) = fresh().await;
    let other = open(folder.path()).await;
    let sample = Sample::default();
    let tasks: Vec<_> = (0..60).map(|second| sample.queued(Priority::Standard, second)).collect();
    let halves = tasks.split_at(30);
    let submit = async |database, tasks: &[_]| {
        let harness = harness(database);
        join_all(tasks.iter().map(|task: &crewd_application::testing::store::Submitted| harness.store.commit(task.unit()))).await
    };
    let (first, second) = join(submit(&one, halves.0), submit(&other, halves.1)).await;
    assert!(first.iter().chain(&second).all(Result::is_ok), "{first:?} {second:?}");
    assert_eq!(harness(&one).queue.depth().await.unwrap(), 60);

    // Both want every run: each gets it once.
    let (mine, theirs) = (harness(&one), harness(&other));
    let lease = Duration::from_secs(60);
    let claims = (0..20).map(|place| {
        let queue = if place % 2 == 0 { &mine.queue } else { &theirs.queue };
        queue.claim(sample.worker(), 4, lease)
    });
    let mut claimed: Vec<_> = join_all(claims).await.into_iter().flat_map(Result::unwrap).map(|claimed| claimed.run.id).collect();
    claimed.sort();
    claimed.dedup();
    assert_eq!(claimed.len(), 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_wins_each_version() {
    let (folder, one) = fresh().await;
    let other = open(folder.path()).await;
    let sample = Sample::default();
    let (mine, theirs) = (harness(&one), harness(&other));
    let mut run = sample.submit(&mine, Priority::Standard, 0).await.run;
    for _ in 0..20 {
        let before = run.version;
        run.version += 1;
        let commit = async |harness: &crewd_application::testing::store::Harness| {
            let mut unit = UnitOfWork::new(run.tenant_id.clone());
            unit.push(Change::UpdateRun(Box::new(RunUpdate { run: run.clone(), expected_version: before })));
            harness.store.commit(unit).await
        };
        match join(commit(&mine), commit(&theirs)).await {
            (Ok(()), Err(StoreError::Conflict)) | (Err(StoreError::Conflict), Ok(())) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_survives_a_process_that_did_not_close() {
    let folder = tempfile::tempdir().unwrap();
    let sample = Sample::default();
    let (copy, submitted) = {
        let (original, database) = fresh().await;
        let submitted = sample.submit(&harness(&database), Priority::Standard, 0).await;
        // As a crash leaves it: the file and its log, while the process still has them open.
        let copy = folder.path().join("data");
        std::fs::create_dir_all(&copy).unwrap();
        for name in ["crewd.db", "crewd.db-wal"] {
            std::fs::copy(original.path().join("data").join(name), copy.join(name)).unwrap();
        }
        (copy, submitted)
    };
    assert!(std::fs::metadata(copy.join("crewd.db-wal")).unwrap().len() > 0, "the log was not copied into the file yet");
    let database = open(folder.path()).await;
    let harness = harness(&database);
    let view = harness.queries.task(sample.tenant(), submitted.task.id).await.unwrap().unwrap();
    assert_eq!(view.run, submitted.run);
    assert_eq!(harness.queries.last_seq(sample.tenant(), submitted.task.id).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_wait_for_a_writer() {
    let (folder, database) = fresh().await;
    let sample = Sample::default();
    let harness = harness(&database);
    let submitted = sample.submit(&harness, Priority::Standard, 0).await;
    let other = open(folder.path()).await;
    let long = other.schema_connection().begin().await.unwrap();
    long.execute_unprepared("UPDATE runs SET version = 99").await.unwrap();

    let view = harness.queries.task(sample.tenant(), submitted.task.id).await.unwrap().unwrap();
    assert_eq!(view.run.version, submitted.run.version, "they see what is committed");
    let late = sample.queued(Priority::Standard, 1);
    let commit = harness.store.commit(late.unit());
    let rollback = async {
        // The writer waits for the other process, the readers go on.
        for _ in 0..10 {
            assert_eq!(harness.queue.depth().await.unwrap(), 1);
        }
        long.rollback().await.unwrap();
    };
    let (committed, ()) = join(commit, rollback).await;
    committed.unwrap();
    assert_eq!(harness.queue.depth().await.unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_was_sent() {
    let (folder, database) = fresh().await;
    let sample = Sample::default();
    let store = harness(&database).store;
    let tasks: Vec<_> = (0..300).map(|second| sample.queued(Priority::Standard, second)).collect();
    let commits = join_all(tasks.iter().map(|task| store.commit(task.unit())));
    let (results, closed) = join(commits, database.close()).await;
    closed.unwrap();
    database.close().await.unwrap();
    assert_eq!(database.pool_state(), PoolState { idle: 0, in_use: 0 });
    let stored = results.iter().filter(|result| result.is_ok()).count();
    assert!(stored > 0);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(StoreError::Unavailable(_)))), "{results:?}");
    let late = store.commit(sample.queued(Priority::Standard, 0).unit()).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(!folder.path().join("data/crewd.db-wal").exists(), "the log is in the file");

    let database = open(folder.path()).await;
    assert_eq!(harness(&database).queue.depth().await.unwrap(), u64::try_from(stored).unwrap());
    let PoolState { idle, in_use } = database.pool_state();
    assert!((1..=3).contains(&(idle + in_use)), "the writer and what was read with");
}

#[tokio::test]
async fn closing_does_not_wait_for_kept_connections() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    let submitted = sample.submit(&harness(&database), Priority::Standard, 0).await;
    let queries = database.queries();
    assert!(queries.task(sample.tenant(), submitted.task.id).await.unwrap().is_some());
    tokio::time::timeout(Duration::from_secs(10), database.close()).await.expect("it ends").unwrap();
    let refused = queries.task(sample.tenant(), submitted.task.id).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_make_a_new_file_at_once() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let opened = join_all((0..6).map(|_| async {
            let database = open(folder.path()).await;
            migrate_up(&database).await.unwrap();
            database
        }))
        .await;
        for database in opened {
            assert!(is_current(&database).await.unwrap());
            database.close().await.unwrap();
        }
    }
}
