//! A database of one test.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, raw_sql};

use crate::service::Service;

/// A name that no test has used.
pub(crate) fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("crewd_test_{}_{since}_{count}", std::process::id())
}

/// An empty database with a name of its own. It is removed when this is dropped, with all that is in it.
#[derive(Debug)]
pub struct TestDatabase {
    service: Service,
    server: String,
    name: String,
}

impl TestDatabase {
    pub(crate) fn create(service: Service, server: &str) -> Self {
        let database = Self { service, server: server.trim_end_matches('/').to_owned(), name: new_name() };
        let name = &database.name;
        let unicode = if service == Service::Postgres { "" } else { " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin" };
        database.run(administration(service, &database.server), &format!("CREATE DATABASE {name}{unicode}"));
        database
    }

    /// Its address, as `APP_DATABASE_URL` takes it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// Runs statements in this database, as the server's administrator.
    ///
    /// # Panics
    /// Where the server does not take them.
    pub fn execute(&self, statements: &str) {
        self.run(self.url(), statements);
    }

    fn run(&self, url: String, statements: &str) {
        let (service, statements) = (self.service, statements.to_owned());
        // A thread of its own: a test may be inside of a runtime already.
        let done = std::thread::spawn(move || block_on(execute(service, &url, &statements))).join();
        done.expect("the thread lives").unwrap_or_else(|error| panic!("{}: {error}", service.name()));
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (service, name, server) = (self.service, self.name.clone(), administration(self.service, &self.server));
        let forced = if service == Service::Postgres { " WITH (FORCE)" } else { "" };
        let statement = format!("DROP DATABASE IF EXISTS {name}{forced}");
        // A server that a test has stopped takes its databases with it.
        std::thread::spawn(move || block_on(execute(service, &server, &statement)).ok()).join().ok();
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built").block_on(work)
}

/// Where somebody connects who wants no database in particular.
fn administration(service: Service, server: &str) -> String {
    if service == Service::Postgres { format!("{server}/postgres") } else { server.to_owned() }
}

async fn execute(service: Service, url: &str, statements: &str) -> Result<(), sqlx::Error> {
    let statement = raw_sql(AssertSqlSafe(statements.to_owned()));
    if service == Service::Postgres {
        let mut connection: PgConnection = url.parse::<PgConnectOptions>()?.connect().await?;
        statement.execute(&mut connection).await?;
        return connection.close().await;
    }
    let mut connection: MySqlConnection = url.parse::<MySqlConnectOptions>()?.connect().await?;
    statement.execute(&mut connection).await?;
    connection.close().await
}
