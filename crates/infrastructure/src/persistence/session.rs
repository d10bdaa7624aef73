//! Connections that are kept.
//!
//! A pool asks each connection after each use whether it still lives. With SQLite that is one more trip to the
//! connection's thread, which costs as much as a short query. A kept connection is asked nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Sqlite};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, OnceCell};

/// A connection out of a pool, for as long as this value lives.
pub(super) struct Session {
    /// `None` once it is closed.
    connection: Mutex<Option<PoolConnection<Sqlite>>>,
}

pub(super) type Query<'statement> = sqlx::query::Query<'statement, Sqlite, SqlxValues>;

/// A statement as the driver takes it.
pub(super) fn query(statement: &Statement) -> Query<'_> {
    let values = statement.values.clone().unwrap_or(sea_orm::sea_query::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

impl Session {
    /// Takes a connection of a SQLite pool.
    pub(super) async fn of(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let connection = pool.get_sqlite_connection_pool().acquire().await.map_err(failed)?;
        Ok(Self { connection: Mutex::new(Some(connection)) })
    }

    fn is_free(&self) -> bool {
        self.connection.try_lock().is_ok()
    }

    async fn connection(&self) -> Result<MappedMutexGuard<'_, PoolConnection<Sqlite>>, DbErr> {
        let guard = self.connection.lock().await;
        MutexGuard::try_map(guard, Option::as_mut).map_err(|_| failed(sqlx::Error::PoolClosed))
    }

    /// Gives the connection up, after the query that is under way. Later queries fail.
    async fn close(&self) {
        let connection = self.connection.lock().await.take();
        if let Some(connection) = connection
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "a connection was not closed in order");
        }
    }

    /// All rows of a statement, or of several statements in one text.
    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let rows = query(&statement).fetch_all(&mut **self.connection().await?).await.map_err(failed)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }

    /// The first row of a statement.
    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let row = query(&statement).fetch_optional(&mut **self.connection().await?).await.map_err(failed)?;
        Ok(row.map(QueryResult::from))
    }

    /// Executes a statement, or several in one text; how many rows changed.
    pub(super) async fn execute_raw(&self, statement: Statement) -> Result<u64, DbErr> {
        let result = query(&statement).execute(&mut **self.connection().await?).await.map_err(failed)?;
        Ok(result.rows_affected())
    }

    /// Executes a text without values.
    pub(super) async fn execute_text(&self, sql: &'static str) -> Result<(), DbErr> {
        self.execute_raw(Statement::from_string(DbBackend::Sqlite, sql)).await.map(drop)
    }
}

/// A few kept connections for reading, opened when they are needed.
#[derive(Clone)]
pub(super) struct Readers {
    pool: DatabaseConnection,
    /// Empty where the pool's one connection is shared with the writer: in memory.
    kept: Arc<[OnceCell<Session>]>,
    next: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Readers").field("kept", &self.kept.len()).finish()
    }
}

impl Readers {
    /// Readers that keep up to `count` connections of a pool; with 0 each query takes one of the pool's.
    pub(super) fn new(pool: DatabaseConnection, count: usize) -> Self {
        Self { pool, kept: (0..count).map(|_| OnceCell::new()).collect(), next: Arc::default() }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.pool.get_database_backend()
    }

    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self.session().await? {
            Some(session) => session.query_all_raw(statement).await,
            None => self.pool.query_all_raw(statement).await,
        }
    }

    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self.session().await? {
            Some(session) => session.query_one_raw(statement).await,
            None => self.pool.query_one_raw(statement).await,
        }
    }

    /// Closes the kept connections and the pool.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        for session in self.kept.iter().filter_map(OnceCell::get) {
            session.close().await;
        }
        self.pool.close_by_ref().await
    }

    /// A free connection, else a new one while there may be more, else the next one's turn is waited for.
    async fn session(&self) -> Result<Option<&Session>, DbErr> {
        if let Some(free) = self.kept.iter().filter_map(OnceCell::get).find(|session| session.is_free()) {
            return Ok(Some(free));
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.kept.len().max(1);
        let cell = self.kept.iter().find(|cell| !cell.initialized()).or_else(|| self.kept.get(turn));
        match cell {
            Some(cell) => cell.get_or_try_init(|| Session::of(&self.pool)).await.map(Some),
            None => Ok(None),
        }
    }
}
