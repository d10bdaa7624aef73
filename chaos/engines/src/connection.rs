//! One connection to any engine.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Column, ColumnIndex, ConnectOptions, Connection as _, Decode, Row, raw_sql};

use crate::address::{Address, Engine};

/// How long a file may be locked by others.
const BUSY: Duration = Duration::from_secs(20);

/// An open connection. Statements are sent as text, so that every engine answers with text.
pub struct Connection {
    inner: Inner,
}

enum Inner {
    Sqlite(SqliteConnection),
    Mysql(MySqlConnection),
    Postgres(PgConnection),
}

/// What a query found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Names of the columns; none without a row.
    pub columns: Vec<String>,
    /// Cells as text.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Connection {
    /// Opens a SQLite file that is there.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub async fn to_file(path: &Path) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
        Ok(Self { inner: Inner::Sqlite(options.connect().await.context("the file cannot be opened")?) })
    }

    /// Opens a connection to a database of a server.
    ///
    /// # Errors
    /// For an address that is not understood, and where nobody answers.
    pub async fn to_server(url: &str) -> anyhow::Result<Self> {
        let inner = match Address::parse(url)?.engine {
            Engine::Postgres => Inner::Postgres(url.parse::<PgConnectOptions>()?.connect().await?),
            Engine::Mysql | Engine::Sqlite => Inner::Mysql(url.parse::<MySqlConnectOptions>()?.connect().await?),
        };
        Ok(Self { inner })
    }

    /// How the database is spoken to.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.inner {
            Inner::Sqlite(_) => Engine::Sqlite,
            Inner::Mysql(_) => Engine::Mysql,
            Inner::Postgres(_) => Engine::Postgres,
        }
    }

    /// Runs a statement; how many rows it touched.
    ///
    /// # Errors
    /// What the database says.
    pub async fn execute(&mut self, sql: &str) -> anyhow::Result<u64> {
        let statement = raw_sql(AssertSqlSafe(sql.to_owned()));
        let touched = match &mut self.inner {
            Inner::Sqlite(connection) => statement.execute(connection).await.map(|done| done.rows_affected()),
            Inner::Mysql(connection) => statement.execute(connection).await.map(|done| done.rows_affected()),
            Inner::Postgres(connection) => statement.execute(connection).await.map(|done| done.rows_affected()),
        };
        touched.with_context(|| shortened(sql))
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rows(&mut self, sql: &str) -> anyhow::Result<Rows> {
        let statement = raw_sql(AssertSqlSafe(sql.to_owned()));
        let rows = match &mut self.inner {
            Inner::Sqlite(connection) => texts(&statement.fetch_all(connection).await.with_context(|| shortened(sql))?),
            Inner::Mysql(connection) => texts(&statement.fetch_all(connection).await.with_context(|| shortened(sql))?),
            Inner::Postgres(connection) => texts(&statement.fetch_all(connection).await.with_context(|| shortened(sql))?),
        };
        rows.with_context(|| shortened(sql))
    }

    /// The first cell of a query; empty where it is null.
    ///
    /// # Errors
    /// What the database says, and where there is no row.
    pub async fn text(&mut self, sql: &str) -> anyhow::Result<String> {
        let rows = self.rows(sql).await?;
        let first = rows.rows.into_iter().next().and_then(|row| row.into_iter().next());
        Ok(first.with_context(|| format!("no row: {}", shortened(sql)))?.unwrap_or_default())
    }

    /// The first cell of a query as a number; 0 where it is null.
    ///
    /// # Errors
    /// What the database says, and where there is no number.
    pub async fn number(&mut self, sql: &str) -> anyhow::Result<i64> {
        let text = self.text(sql).await?;
        if text.is_empty() {
            return Ok(0);
        }
        // Sums may come with decimal places.
        let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
        whole.parse().with_context(|| format!("{text:?} is no number: {}", shortened(sql)))
    }

    /// Closes it; what the other side says to that does not matter.
    pub async fn close(self) {
        let closed = match self.inner {
            Inner::Sqlite(connection) => connection.close().await,
            Inner::Mysql(connection) => connection.close().await,
            Inner::Postgres(connection) => connection.close().await,
        };
        drop(closed);
    }
}

fn texts<R>(rows: &[R]) -> sqlx::Result<Rows>
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database>,
{
    let columns = rows.first().map(|row| row.columns().iter().map(|column| column.name().to_owned()).collect());
    let cells = |row: &R| (0..row.len()).map(|place| row.try_get_unchecked::<Option<String>, usize>(place)).collect();
    Ok(Rows { columns: columns.unwrap_or_default(), rows: rows.iter().map(cells).collect::<sqlx::Result<_>>()? })
}

fn shortened(sql: &str) -> String {
    sql.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cells_of_every_kind_are_read_as_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        std::fs::write(&path, "").unwrap();
        let mut connection = Connection::to_file(&path).await.unwrap();
        connection.execute("CREATE TABLE t (a INTEGER, b TEXT, c REAL)").await.unwrap();
        assert_eq!(connection.execute("INSERT INTO t VALUES (1, 'x', 2.5), (2, NULL, 0)").await.unwrap(), 2);
        let rows = connection.rows("SELECT a, b, c FROM t ORDER BY a").await.unwrap();
        assert_eq!(rows.columns, ["a", "b", "c"]);
        assert_eq!(rows.rows[0], [Some("1".to_owned()), Some("x".to_owned()), Some("2.5".to_owned())]);
        assert_eq!(rows.rows[1][1], None);
        assert_eq!(connection.number("SELECT SUM(c) FROM t").await.unwrap(), 2);
        assert_eq!(connection.number("SELECT MAX(a) FROM t WHERE a > 9").await.unwrap(), 0);
        assert!(connection.number("SELECT a FROM t WHERE a > 9").await.is_err());
        assert!(connection.execute("NONSENSE").await.unwrap_err().to_string().contains("NONSENSE"));
        connection.close().await;
    }
}
