//! Databases on real servers, for what all engines must do alike.

use std::sync::Arc;

use crewd_application::ports::{Fairness, Store, TaskFilter};
use crewd_application::testing::store::{Harness, Sample, run_limited_suite, run_suite};
use crewd_application::testing::{duties, schedules, webhooks};
use crewd_domain::runs::{Priority, RunStatus};
use crewd_domain::shared::{RunId, TenantId};
use crewd_test_services::Service;
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait, Value};
use uuid::Uuid;

use super::hooks::{duty_harness, schedule_harness, webhook_harness};
use super::support::harness;
use crate::persistence::dialect::statement;
use crate::persistence::queries::{page_of_ids, task_views};
use crate::persistence::queue::{aged_runs, before_own, due_runs, own_queued, turns_of};
use crate::persistence::writer::{first_runs, free_keys, oldest_runs, tenants};
use crate::persistence::{Database, DatabaseConfig, Engine, create_database, migrate_down, migrate_up, migration_status};

/// A migrated database of its own on a server.
struct Server {
    config: DatabaseConfig,
}

impl Server {
    /// `None` where there is no such server; that has been said then.
    async fn start(service: Service) -> Option<Self> {
        let config = DatabaseConfig::new(service.new_database()?);
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
        let (one, other) = (self.open().await, self.open().await);
        duties::run_suite(async || duty_harness(&one, &other).await).await;
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
    let Some(server) = Server::start(Service::MariaDb).await else { return };
    server.keeps_the_contracts().await;
    hot_questions_walk_indexes(&server).await;
    server.migrates_up_and_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contracts() {
    let Some(server) = Server::start(Service::Postgres).await else { return };
    server.keeps_the_contracts().await;
    hot_questions_walk_indexes(&server).await;
    server.migrates_up_and_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oceanbase_keeps_the_contracts() {
    let Some(server) = Server::start(Service::OceanBase).await else { return };
    server.keeps_the_contracts().await;
    hot_questions_walk_indexes(&server).await;
    server.migrates_up_and_down().await;
}

/// Finished runs, and queued ones of a few tenants.
async fn fill(database: &Database) {
    let sample = Sample::default();
    let commits = (0..3_300).map(|place| {
        let mut task = sample.queued(Priority::Standard, place % 50);
        if place % 11 != 0 {
            task.run.status = RunStatus::Succeeded;
        }
        let store = database.store();
        async move { store.commit(task.unit()).await }
    });
    futures::future::join_all(commits).await.into_iter().for_each(Result::unwrap);
    let connection = database.schema_connection();
    for table in ["runs", "tasks", "run_inbox", "run_events", "steps"] {
        let sql = match connection.get_database_backend() {
            DbBackend::Postgres => format!("ANALYZE {table}"),
            _ => format!("ANALYZE TABLE {table}"),
        };
        connection.execute_unprepared(&sql).await.unwrap();
    }
}

/// The lines of a plan that read a table whole, and have more than a few rows to read.
fn whole_reads(engine: Engine, plan: &[String]) -> Vec<&String> {
    // What the statement itself has gathered, and orders that wait.
    let is_small = |line: &str| ["|h ", "|k ", "(heads", "run_inbox"].iter().any(|small| line.contains(small));
    plan.iter()
        .filter(|line| match engine {
            Engine::Postgres => line.contains("Seq Scan on"),
            Engine::OceanBase => line.contains("TABLE FULL SCAN") && !is_small(line),
            _ => line.contains("|ALL|") && (line.contains("|r|") || line.contains("|t|") || line.contains("|o|")),
        })
        .collect()
}

async fn plan(database: &Database, sql: &str, values: Vec<Value>) -> Vec<String> {
    let connection = &database.read_connection().begin().await.unwrap();
    if connection.get_database_backend() == DbBackend::Postgres {
        // A few thousand rows are sometimes quicker read whole. What counts is whether an index could be walked.
        connection.execute_unprepared("SET LOCAL enable_seqscan = off").await.unwrap();
    }
    let question = statement(connection.get_database_backend(), format!("EXPLAIN {sql}"), values);
    let rows = connection.query_all_raw(question).await.unwrap();
    rows.iter()
        .map(|row| {
            let cells = (0..10).map_while(|place| {
                let text = row.try_get_by::<Option<String>, _>(place);
                let number = |_| row.try_get_by::<Option<i64>, _>(place).map(|number| number.map(|number| number.to_string()));
                text.or_else(number).ok()
            });
            cells.map(|cell| format!("|{}", cell.unwrap_or_default())).collect::<String>() + "|"
        })
        .collect()
}

/// What workers and the API ask all the time stays cheap however many runs have ended.
async fn hot_questions_walk_indexes(server: &Server) {
    let database = server.empty().await;
    let (engine, backend) = (database.describe().engine, database.read_connection().get_database_backend());
    let tenant = TenantId::default_tenant();
    let can = database.describe().capabilities;
    let page = page_of_ids(&tenant, &TaskFilter::default(), None, 51);
    let questions = [
        ("head of the queue", first_runs((backend, can), Fairness::default(), 8)),
        ("tenants", tenants(can, Fairness::default(), 1, ("", None), 8)),
        ("oldest runs", oldest_runs(1, &[("default", 3)]).unwrap()),
        ("free keys", free_keys(can, 1, "default", ("", None), 8)),
        ("due", due_runs(backend, 50)),
        ("aged", aged_runs(backend, 1, 600_000_000_000)),
        ("place", before_own(&tenant, (1, 5, RunId::new(Uuid::from_u128(1))), 1_000)),
        ("line", own_queued(&tenant, 1_000)),
        ("turns", turns_of(&["default".to_owned()], 1, 3).unwrap()),
        ("page", page),
        (
            "views",
            (format!("{} WHERE t.tenant_id = ? AND t.id IN (?,?)", task_views()), vec!["default".into(), "a".into(), "b".into()]),
        ),
    ];
    // OceanBase keeps the plans that it makes now.
    if engine == Engine::OceanBase {
        assert_plans(&database, &questions).await;
    }
    fill(&database).await;
    assert_plans(&database, &questions).await;
    if engine == Engine::MariaDb {
        // A plan does not tell from where a question inside another one walks: what was read does.
        for (name, (sql, values)) in questions.iter().take(4) {
            let rows = rows_read(&database, sql, values.clone()).await;
            assert!(rows < 150, "{name}: {rows} rows of 300 queued ones\n{sql}");
        }
    }
}

/// How many rows and entries of indexes a question reads on MariaDB.
async fn rows_read(database: &Database, sql: &str, values: Vec<Value>) -> i64 {
    let connection = &database.read_connection().begin().await.unwrap();
    let backend = connection.get_database_backend();
    connection.execute_unprepared("FLUSH STATUS").await.unwrap();
    connection.query_all_raw(statement(backend, sql, values)).await.unwrap();
    let status = statement(backend, "SHOW SESSION STATUS LIKE 'Handler_read%'", Vec::new());
    let counts = connection.query_all_raw(status).await.unwrap();
    counts.iter().map(|row| row.try_get_by::<String, _>(1).unwrap().parse::<i64>().unwrap()).sum()
}

/// No question reads a table whole.
async fn assert_plans(database: &Database, questions: &[(&str, (String, Vec<Value>))]) {
    let engine = database.describe().engine;
    for (name, (sql, values)) in questions {
        let plan = plan(database, sql, values.clone()).await;
        assert!(!plan.is_empty(), "{name}");
        assert!(whole_reads(engine, &plan).is_empty(), "{engine}: {name}\n{}\n{}", plan.join("\n"), sql);
    }
}
