//! What the API does not show, read from the database itself.

use std::path::Path;

use crewd_engines::{Connection, Engine};

use crate::wall;

/// An active run may be without a holder for so long, in microseconds.
const ORPHANED: i64 = 20_000_000;

/// A connection of this program to an installation's database.
pub(crate) struct Rows {
    connection: Connection,
}

impl Rows {
    /// Opens the file.
    pub(crate) async fn in_file(path: &Path) -> Self {
        Self { connection: Connection::to_file(path).await.expect("the database can be opened") }
    }

    /// Connects to a database of a server.
    pub(crate) async fn on_server(url: &str) -> Self {
        Self { connection: Connection::to_server(url).await.expect("the database can be reached") }
    }

    async fn number(&mut self, sql: &str) -> i64 {
        self.connection.number(sql).await.unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Events that a holder wrote after a later holder had written. Epoch 0 is that of writes without a lease.
    pub(crate) async fn stale_writes(&mut self) -> i64 {
        self.number(
            "SELECT COUNT(*) FROM (SELECT epoch, MAX(epoch) OVER (PARTITION BY run_id ORDER BY seq) AS latest FROM run_events) w \
             WHERE epoch > 0 AND epoch < latest",
        )
        .await
    }

    /// Runs that are active although their lease expired more than 20 s ago.
    pub(crate) async fn orphans(&mut self) -> i64 {
        let past = wall::micros() - ORPHANED;
        self.number(&format!(
            "SELECT COUNT(*) FROM runs WHERE status IN ('running', 'cancelling') AND (lease_until IS NULL OR lease_until < {past})"
        ))
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

    /// Steps in the middle of being done by this worker's runs. What a process writes while it dies is seen a moment
    /// later; nothing depends on that.
    pub(crate) async fn steps_under_way(&mut self, worker: &str) -> i64 {
        let sql = format!(
            "SELECT COUNT(*) FROM steps s JOIN runs r ON r.id = s.run_id \
             WHERE r.lease_owner = '{worker}' AND r.status = 'running' AND s.status = 'started'"
        );
        self.connection.number(&sql).await.unwrap_or_default()
    }

    /// `ok`, or what is wrong: SQLite checks its file; of a server it is checked that no row lacks the one it belongs to.
    pub(crate) async fn integrity(&mut self) -> String {
        if self.connection.engine() == Engine::Sqlite {
            return self.connection.text("PRAGMA integrity_check").await.unwrap_or_else(|error| error.to_string());
        }
        for (what, sql) in [
            ("tasks without a run", "SELECT COUNT(*) FROM tasks t LEFT JOIN runs r ON r.id = t.current_run WHERE r.id IS NULL"),
            ("runs without a task", "SELECT COUNT(*) FROM runs r LEFT JOIN tasks t ON t.id = r.task_id WHERE t.id IS NULL"),
            ("steps without a run", "SELECT COUNT(*) FROM steps s LEFT JOIN runs r ON r.id = s.run_id WHERE r.id IS NULL"),
            ("events without a run", "SELECT COUNT(*) FROM run_events e LEFT JOIN runs r ON r.id = e.run_id WHERE r.id IS NULL"),
        ] {
            let found = self.number(sql).await;
            if found > 0 {
                return format!("{found} {what}");
            }
        }
        "ok".to_owned()
    }

    /// Locks the file for writing until [`Rows::unlock`].
    pub(crate) async fn lock(&mut self) {
        self.connection.execute("BEGIN EXCLUSIVE").await.expect("the lock is got");
    }

    /// Gives the lock back.
    pub(crate) async fn unlock(&mut self) {
        self.connection.execute("ROLLBACK").await.expect("the lock is given back");
    }

    /// Closes it.
    pub(crate) async fn close(self) {
        self.connection.close().await;
    }
}
