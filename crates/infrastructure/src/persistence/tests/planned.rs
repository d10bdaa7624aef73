//! Plans of changes, and processes that change the schema at once.

use std::collections::BTreeSet;

use crewd_test_services::Service;
use futures::future::join_all;

use crate::persistence::schema::{LOCK_TABLE, existing, hold};
use crate::persistence::session::Session;
use crate::persistence::{Database, DatabaseConfig, create_database, is_current, migrate_down, migrate_up, migration_plan};

/// A plan that is run by hand does what the changes do, and leaves nothing for them to do.
async fn a_plan_is_the_changes(made: DatabaseConfig, planned: DatabaseConfig) {
    create_database(&made).await.unwrap();
    let text = migration_plan(&planned).await.unwrap();
    create_database(&planned).await.unwrap();
    let (made, by_hand) = (Database::connect(made).await.unwrap(), Database::connect(planned.clone()).await.unwrap());
    migrate_up(&made).await.unwrap();
    let session = Session::of(by_hand.schema_connection()).await.unwrap();
    for statement in text.split(";\n").filter(|statement| !statement.trim().is_empty()) {
        session.execute_text(statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    drop(session);
    assert!(is_current(&by_hand).await.unwrap(), "crewd knows what was done");
    let (expected, found) = (existing(&made).await.unwrap(), existing(&by_hand).await.unwrap());
    let without_lock = |names: BTreeSet<(String, String)>| -> BTreeSet<(String, String)> {
        names.into_iter().filter(|(table, name)| table != LOCK_TABLE && name != LOCK_TABLE).collect()
    };
    assert_eq!(without_lock(expected.columns), found.columns);
    assert_eq!(without_lock(expected.indexes), found.indexes);
    migrate_down(&by_hand, 3).await.unwrap();
    let rest = migration_plan(&planned).await.unwrap();
    assert!(!rest.contains("m20261120_000001") && rest.contains("m20261122_000017_locks"), "{rest}");
    migrate_up(&by_hand).await.unwrap();
    assert_eq!(migration_plan(&planned).await.unwrap(), "");
    for database in [made, by_hand] {
        database.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_for_a_file_is_the_changes() {
    let folder = tempfile::tempdir().unwrap();
    let config = |name: &str| DatabaseConfig::new(format!("sqlite://{}", folder.path().join(name).display()));
    migration_plan(&config("planned.db")).await.unwrap();
    assert!(!folder.path().join("planned.db").exists(), "a plan makes nothing");
    a_plan_is_the_changes(config("made.db"), config("planned.db")).await;
}

async fn a_plan_for_a_server_is_the_changes(service: Service) {
    let (Some(made), Some(planned)) = (service.new_database(), service.new_database()) else { return };
    a_plan_is_the_changes(DatabaseConfig::new(made), DatabaseConfig::new(planned)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_for_mariadb_is_the_changes() {
    a_plan_for_a_server_is_the_changes(Service::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_for_postgres_is_the_changes() {
    a_plan_for_a_server_is_the_changes(Service::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_for_oceanbase_is_the_changes() {
    a_plan_for_a_server_is_the_changes(Service::OceanBase).await;
}

/// Many processes that start at once on a new database: one changes the schema, the others wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_at_a_time_changes_the_schema_of_a_server() {
    for service in [Service::MariaDb, Service::Postgres, Service::OceanBase] {
        let Some(url) = service.new_database() else { continue };
        let config = DatabaseConfig::new(url);
        create_database(&config).await.unwrap();
        let databases = join_all((0..5).map(|_| Database::connect(config.clone()))).await;
        let databases: Vec<Database> = databases.into_iter().map(Result::unwrap).collect();
        for result in join_all(databases.iter().map(migrate_up)).await {
            result.unwrap();
        }
        for database in databases {
            database.close().await.unwrap();
        }
    }
}

/// OceanBase tells a session that a table is there before that session can use it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lock_of_the_schema_waits_for_its_table() {
    for service in [Service::MariaDb, Service::OceanBase] {
        let Some(url) = service.new_database() else { continue };
        let config = DatabaseConfig::new(url);
        create_database(&config).await.unwrap();
        let databases = join_all((0..4).map(|_| Database::connect(config.clone()))).await;
        let databases: Vec<Database> = databases.into_iter().map(Result::unwrap).collect();
        for _ in 0..20 {
            let once = async |(place, database): (usize, &Database)| {
                let session = Session::of(database.schema_connection()).await.unwrap();
                for _ in 0..10 * place {
                    session.execute_text("SELECT 1").await.unwrap();
                }
                let held = hold(&session).await;
                session.close().await;
                held
            };
            for result in join_all(databases.iter().enumerate().map(once)).await {
                result.unwrap();
            }
            let session = Session::of(databases[0].schema_connection()).await.unwrap();
            session.execute_text(&format!("DROP TABLE {LOCK_TABLE}")).await.unwrap();
            session.close().await;
        }
        for database in databases {
            database.close().await.unwrap();
        }
    }
}
