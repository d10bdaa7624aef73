//! Databases on real servers, for what all engines must do alike.

use std::sync::Arc;

use crewd_application::testing::store::{Harness, run_limited_suite, run_suite};
use crewd_application::testing::{schedules, webhooks};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use uuid::Uuid;

use super::hooks::{schedule_harness, webhook_harness};
use super::support::harness;
use crate::persistence::{Database, DatabaseConfig, create_database, migrate_down, migrate_up, migration_status};

/// A migrated database of its own on a server.
struct Server {
    config: DatabaseConfig,
}

impl Server {
    /// `None` where there is no such server; that has been said then.
    async fn start(variable: &str) -> Option<Self> {
        let Ok(base) = std::env::var(variable) else {
            println!("skipped: {variable} not set");
            return None;
        };
        let config = DatabaseConfig::new(format!("{base}/crewd_{}", Uuid::now_v7().simple()));
        assert!(create_database(&config).await.unwrap(), "it is new");
        assert!(!create_database(&config).await.unwrap(), "it is there");
        let server = Self { config };
        let database = server.open().await;
        migrate_up(&database).await.unwrap();
        database.close().await.unwrap();
        Some(server)
    }

    async fn open(&self) -> Database {
        Database::connect(self.config.clone()).await.unwrap()
    }

    /// The database with nothing in it.
    async fn empty(&self) -> Database {
        let database = self.open().await;
        let connection = database.schema_connection();
        let backend = connection.get_database_backend();
        let own = if backend == DbBackend::MySql { "DATABASE()" } else { "current_schema()" };
        let sql = format!(
            "SELECT CAST(t.table_name AS CHAR(64)) FROM information_schema.tables t WHERE t.table_schema = {own} \
             AND t.table_name NOT IN ('seaql_migrations', 'locks', 'duties')"
        );
        for row in connection.query_all_raw(Statement::from_string(backend, sql)).await.unwrap() {
            let table: String = row.try_get_by(0).unwrap();
            connection.execute_unprepared(&format!("DELETE FROM {}", table.trim())).await.unwrap();
        }
        database
    }

    async fn keeps_the_contracts(&self) {
        run_suite(async || harness(&self.empty().await)).await;
        run_limited_suite(async |fairness| {
            let database = self.empty().await;
            Harness { queue: Arc::new(database.queue().with_fairness(fairness)), ..harness(&database) }
        })
        .await;
        webhooks::run_suite(async || webhook_harness(&self.empty().await)).await;
        schedules::run_suite(async || schedule_harness(&self.empty().await)).await;
    }

    async fn migrates_up_and_down(&self) {
        let database = self.open().await;
        migrate_up(&database).await.unwrap();
        migrate_down(&database, u32::MAX).await.unwrap();
        assert!(migration_status(&database).await.unwrap().iter().all(|(_, is_applied)| !is_applied));
        let others = futures::future::join_all((0..3).map(|_| self.open())).await;
        for result in futures::future::join_all(others.iter().map(migrate_up)).await {
            result.unwrap();
        }
        assert!(migration_status(&database).await.unwrap().iter().all(|(_, is_applied)| *is_applied));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_keeps_the_contracts() {
    let Some(server) = Server::start("CREWD_TEST_MARIADB_URL").await else { return };
    server.keeps_the_contracts().await;
    server.migrates_up_and_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contracts() {
    let Some(server) = Server::start("CREWD_TEST_POSTGRES_URL").await else { return };
    server.keeps_the_contracts().await;
    server.migrates_up_and_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oceanbase_keeps_the_contracts() {
    let Some(server) = Server::start("CREWD_TEST_OCEANBASE_URL").await else { return };
    server.keeps_the_contracts().await;
    server.migrates_up_and_down().await;
}
