//! What the API does not show, read from the database's file.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};

/// A connection of this program to an installation's database.
pub(crate) struct Rows {
    connection: SqliteConnection,
}

impl Rows {
    /// Opens the file.
    pub(crate) async fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(20));
        Self { connection: options.connect().await.expect("the database can be opened") }
    }

    async fn number(&mut self, sql: &'static str) -> i64 {
        let row = sqlx::query(sql).fetch_one(&mut self.connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        row.get(0)
    }

    /// Events that a holder wrote after a later holder had written. Epoch 0 is that of writes without a lease.
    pub(crate) async fn stale_writes(&mut self) -> i64 {
        self.number(
            "SELECT COUNT(*) FROM (SELECT epoch, MAX(epoch) OVER (PARTITION BY run_id ORDER BY seq) AS latest FROM run_events) \
             WHERE epoch > 0 AND epoch < latest",
        )
        .await
    }

    /// Runs that are active although their lease expired more than 20 s ago.
    pub(crate) async fn orphans(&mut self) -> i64 {
        self.number(
            "SELECT COUNT(*) FROM runs WHERE status IN ('running', 'cancelling') \
             AND (lease_until IS NULL OR lease_until < (unixepoch('subsec') - 20) * 1000000)",
        )
        .await
    }

    /// Runs that are not at an end.
    pub(crate) async fn open_runs(&mut self) -> i64 {
        self.number("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL").await
    }

    /// All tasks.
    pub(crate) async fn tasks(&mut self) -> i64 {
        self.number("SELECT COUNT(*) FROM tasks").await
    }

    /// Steps in the middle of being done by these workers' runs.
    pub(crate) async fn steps_under_way(&mut self, worker: &str) -> i64 {
        let sql = "SELECT COUNT(*) FROM steps s JOIN runs r ON r.id = s.run_id \
                   WHERE r.lease_owner = ? AND r.status = 'running' AND s.status = 'started'";
        let row = sqlx::query(sql).bind(worker).fetch_one(&mut self.connection).await;
        row.map_or(0, |row| row.get(0))
    }

    /// `ok`, or what is wrong with the file.
    pub(crate) async fn integrity(&mut self) -> String {
        let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut self.connection).await;
        row.map_or_else(|error| error.to_string(), |row| row.get(0))
    }

    /// Locks the database for writing until [`Rows::unlock`].
    pub(crate) async fn lock(&mut self) {
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut self.connection).await.expect("the lock is got");
    }

    /// Gives the lock back.
    pub(crate) async fn unlock(&mut self) {
        sqlx::query("ROLLBACK").execute(&mut self.connection).await.expect("the lock is given back");
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        self.connection.close().await.ok();
    }
}
