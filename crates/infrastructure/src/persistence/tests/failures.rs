//! A database that cannot answer.

use std::time::Duration;

use crewd_application::ports::{RunQueries, RunQueue, Store, StoreError};
use crewd_application::testing::store::Sample;
use crewd_domain::runs::Priority;
use futures::future::join_all;
use sea_orm::ConnectionTrait;

use super::support::{fresh, harness, in_memory, open};
use crate::persistence::{Database, DatabaseConfig, DatabaseError};

#[tokio::test]
async fn a_full_disk_is_unavailable_and_stores_nothing() {
    let database = in_memory().await;
    let sample = Sample::default();
    let before = sample.submit(&harness(&database), Priority::Standard, 0).await;
    // The file may not grow any more.
    database.schema_connection().execute_unprepared("PRAGMA max_page_count = 1").await.unwrap();
    let mut big = sample.queued(Priority::Standard, 1);
    big.task.inputs.insert("text".to_owned(), "x".repeat(1 << 20).into());
    let refused = database.store().commit(big.unit()).await;
    assert!(matches!(&refused, Err(error @ StoreError::Unavailable(_)) if error.is_retryable()), "{refused:?}");
    assert_eq!(database.queries().task(sample.tenant(), big.task.id).await.unwrap(), None);

    database.schema_connection().execute_unprepared("PRAGMA max_page_count = 1000000").await.unwrap();
    database.store().commit(big.unit()).await.unwrap();
    assert!(database.queries().task(sample.tenant(), before.task.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_database_that_only_reads_refuses_in_words() {
    let database = in_memory().await;
    database.schema_connection().execute_unprepared("PRAGMA query_only = ON").await.unwrap();
    let refused = database.store().commit(Sample::default().queued(Priority::Standard, 0).unit()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn without_its_schema_it_is_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let sample = Sample::default();
    let refused = database.store().commit(sample.queued(Priority::Standard, 0).unit()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = database.queries().api_crews(sample.tenant()).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_group_that_cannot_begin_fails_at_once_for_all() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    database.schema_connection().close_by_ref().await.unwrap();
    let store = database.store();
    let commits = (0..50).map(|second| store.commit(sample.queued(Priority::Standard, second).unit()));
    for result in join_all(commits).await {
        assert!(matches!(&result, Err(error @ StoreError::Unavailable(_)) if error.is_retryable()), "{result:?}");
    }
    let claimed = database.queue().claim(sample.worker(), 1, Duration::from_secs(1)).await;
    assert!(matches!(claimed, Err(StoreError::Unavailable(_))), "{claimed:?}");
}

#[tokio::test]
async fn a_row_that_makes_no_sense_is_corrupt() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    let submitted = sample.submit(&harness(&database), Priority::Standard, 0).await;
    let broken = database.queries();
    for (column, value) in [("status", "'asleep'"), ("version", "-1"), ("id", "'no id'"), ("output", "'{'")] {
        let saved = format!("CREATE TEMP TABLE saved AS SELECT {column} AS cell FROM runs");
        let spoil = format!("{saved}; UPDATE runs SET {column} = {value}; ");
        let mend = format!("UPDATE runs SET {column} = (SELECT cell FROM saved); DROP TABLE saved");
        database.schema_connection().execute_unprepared(&spoil).await.unwrap();
        let read = broken.tasks(sample.tenant(), &Default::default(), None, 5).await;
        let is_corrupt = matches!(read, Err(StoreError::Corrupt(_)));
        let has_no_run = column == "id" && matches!(&read, Ok(page) if page.items.is_empty());
        assert!(is_corrupt || has_no_run, "{column}: {read:?}");
        database.schema_connection().execute_unprepared(&mend).await.unwrap();
    }
    assert!(broken.task(sample.tenant(), submitted.task.id).await.unwrap().is_some());
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a database, but long enough to be taken for one: ".repeat(40)).unwrap();
    let connect = async |url: String| Database::connect(DatabaseConfig::new(url)).await.err();
    let below_a_file = connect(format!("sqlite://{}/crewd.db", file.display())).await;
    assert!(matches!(below_a_file, Some(DatabaseError::Folder(_))));
    let no_database = connect(format!("sqlite://{}", file.display())).await;
    assert!(matches!(no_database, Some(DatabaseError::Database(_))));
    let nobody = connect("postgres://127.0.0.1:1/crewd".to_owned()).await;
    assert!(matches!(nobody, Some(DatabaseError::Unreachable { address, .. }) if address == "127.0.0.1:1"));
}
