//! Migrations and readiness.

use crewd_application::ports::{HealthCheck, HealthStatus, RunQueries, Store, TaskFilter};
use crewd_application::testing::store::Sample;
use crewd_domain::runs::{Failure, FailureClass, Priority, RunStatus};
use futures::future::join_all;
use sea_orm::ConnectionTrait;

use super::support::{fresh, harness, open};
use crate::persistence::{is_current, migrate_down, migrate_up, migration_status};

#[tokio::test]
async fn migrations_go_up_down_and_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    assert!(migration_status(&database).await.unwrap().iter().all(|(_, is_applied)| !is_applied));
    assert!(!is_current(&database).await.unwrap());
    migrate_up(&database).await.unwrap();
    migrate_up(&database).await.unwrap();
    assert!(is_current(&database).await.unwrap());
    Sample::default().submit(&harness(&database), Priority::Standard, 0).await;

    migrate_down(&database, 1).await.unwrap();
    let status = migration_status(&database).await.unwrap();
    assert_eq!(status.iter().filter(|(_, is_applied)| !is_applied).count(), 1);
    assert_eq!(status.last().map(|(_, is_applied)| *is_applied), Some(false), "the newest is taken back first");
    migrate_down(&database, u32::MAX).await.unwrap();
    migrate_up(&database).await.unwrap();
    Sample::default().submit(&harness(&database), Priority::Standard, 0).await;
}

#[tokio::test]
async fn the_class_of_older_failures_is_found() {
    let (_folder, database) = fresh().await;
    let sample = Sample::default();
    let mut failed = sample.queued(Priority::Standard, 0);
    let failure = Failure::new(FailureClass::ToolError, "tool_failed", "not \"class\":\"internal\" at all");
    failed.run.status = RunStatus::Failed;
    failed.run.error = Some(failure);
    database.store().commit(failed.unit()).await.unwrap();
    let later = migration_status(&database).await.unwrap().iter().filter(|(name, _)| name.as_str() > "m20261121").count();
    migrate_down(&database, u32::try_from(later).unwrap()).await.unwrap();
    migrate_up(&database).await.unwrap();
    let queries = database.queries();
    let list = async |class| {
        let filter = TaskFilter { failure_class: Some(class), ..TaskFilter::default() };
        queries.tasks(sample.tenant(), &filter, None, 9).await.unwrap().items
    };
    let found = list(FailureClass::ToolError).await;
    assert_eq!(found.iter().map(|view| &view.run).collect::<Vec<_>>(), [&failed.run], "and all of its row is read");
    assert!(list(FailureClass::Internal).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_may_migrate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let databases = join_all((0..4).map(|_| open(folder.path()))).await;
    for result in join_all(databases.iter().map(migrate_up)).await {
        result.unwrap();
    }
    assert!(is_current(&databases[0]).await.unwrap());
}

#[tokio::test]
async fn readiness_wants_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    let health = database.health();
    assert_eq!(health.name(), "database");
    let HealthStatus::Down(reason) = health.check().await else { panic!("not migrated yet") };
    assert!(reason.contains("crewd migrate up"), "{reason}");
    migrate_up(&database).await.unwrap();
    assert_eq!(health.check().await, HealthStatus::Up);

    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m99991231_000001_future', 0)";
    database.schema_connection().execute_unprepared(newer).await.unwrap();
    let HealthStatus::Degraded(reason) = health.check().await else { panic!("a newer crewd has been here; this one goes on") };
    assert!(reason.contains("newer"), "{reason}");
    database.close().await.unwrap();
    assert!(matches!(health.check().await, HealthStatus::Down(_)));
}

#[tokio::test]
async fn no_index_is_wider_than_every_database_bears() {
    let (_folder, database) = fresh().await;
    let sql = "SELECT m.name, SUM(CAST(substr(t.type, instr(t.type, '(') + 1) AS INTEGER)) FROM sqlite_master m \
               JOIN pragma_index_info(m.name) i JOIN pragma_table_info(m.tbl_name) t ON t.name = i.name \
               WHERE m.type = 'index' AND t.type LIKE '%(%' GROUP BY m.name";
    let query = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, sql);
    let rows = database.read_connection().query_all_raw(query).await.unwrap();
    assert!(rows.len() > 10);
    for row in rows {
        let (name, characters): (String, i64) = (row.try_get_by(0).unwrap(), row.try_get_by(1).unwrap());
        assert!(characters <= 768, "{name}: {characters}");
    }
}
