//! Connections that are kept.
//!
//! A pool asks each connection after each use whether it still lives: one more trip to the server, or to SQLite's
//! thread, which costs as much as a short query. A kept connection is asked nothing; when it fails another one is opened.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use crewd_application::ports::IdGenerator;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, IntoArguments, MySql, Postgres, Sqlite};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::sync::{Mutex, MutexGuard, Semaphore};

use super::error::{Fault, failed, fault, is_crowded};
use crate::ids::UuidIds;

/// A connection that takes longer to open is not worth waiting for while others are open.
const OPENING: Duration = Duration::from_secs(1);
/// For so long a server that had no connection to spare is not asked for more.
const CROWDED: Duration = Duration::from_secs(5);

/// A connection of one of the drivers.
enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    MySql(PoolConnection<MySql>),
    Postgres(PoolConnection<Postgres>),
}

/// Does the same with the connection of any driver.
macro_rules! with {
    ($guard:expr, $connection:ident => $work:expr) => {
        match $guard.as_mut() {
            Some(Connection::Sqlite($connection)) => $work,
            Some(Connection::MySql($connection)) => $work,
            Some(Connection::Postgres($connection)) => $work,
            None => Err(sqlx::Error::PoolClosed),
        }
    };
}

/// A connection out of a pool, for as long as this value lives.
pub(super) struct Session {
    /// `None` once it is closed.
    connection: Mutex<Option<Connection>>,
    is_lost: AtomicBool,
}

/// A statement as the drivers take it.
fn query<DB>(statement: &Statement) -> sqlx::query::Query<'_, DB, SqlxValues>
where
    DB: sqlx::Database,
    SqlxValues: IntoArguments<DB>,
{
    let values = statement.values.clone().unwrap_or(sea_orm::sea_query::Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql.as_str()), SqlxValues(values))
}

async fn all<'c, DB, E>(connection: E, statement: &Statement) -> Result<Vec<QueryResult>, sqlx::Error>
where
    DB: sqlx::Database,
    E: Executor<'c, Database = DB>,
    SqlxValues: IntoArguments<DB>,
    QueryResult: From<DB::Row>,
{
    Ok(query::<DB>(statement).fetch_all(connection).await?.into_iter().map(QueryResult::from).collect())
}

impl Session {
    /// Takes a connection of a pool.
    pub(super) async fn of(pool: &DatabaseConnection) -> Result<Self, DbErr> {
        let connection = match pool.get_database_backend() {
            DbBackend::MySql => pool.get_mysql_connection_pool().acquire().await.map(Connection::MySql),
            DbBackend::Postgres => pool.get_postgres_connection_pool().acquire().await.map(Connection::Postgres),
            _ => pool.get_sqlite_connection_pool().acquire().await.map(Connection::Sqlite),
        };
        Ok(Self { connection: Mutex::new(Some(connection.map_err(failed)?)), is_lost: AtomicBool::new(false) })
    }

    /// Whether a query has failed in a way that leaves the connection of no use.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Relaxed)
    }

    /// Gives the connection up, after the query that is under way. Later queries fail.
    pub(super) async fn close(&self) {
        let closed = match self.connection.lock().await.take() {
            Some(Connection::Sqlite(connection)) => connection.close().await,
            Some(Connection::MySql(connection)) => connection.close().await,
            Some(Connection::Postgres(connection)) => connection.close().await,
            None => Ok(()),
        };
        if let Err(error) = closed {
            tracing::debug!(%error, "a connection was not closed in order");
        }
    }

    fn checked<T>(&self, result: Result<T, sqlx::Error>) -> Result<T, DbErr> {
        result.map_err(|error| {
            let error = failed(error);
            if fault(&error) == Fault::Lost {
                self.is_lost.store(true, Ordering::Relaxed);
            }
            error
        })
    }

    /// All rows of a statement; with SQLite also of several statements in one text.
    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut guard = self.connection.lock().await;
        let rows = with!(guard, connection => all(&mut **connection, &statement).await);
        self.checked(rows)
    }

    /// The first row of a statement.
    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    /// Executes a statement, or with SQLite several in one text; how many rows changed.
    pub(super) async fn execute_raw(&self, statement: Statement) -> Result<u64, DbErr> {
        let mut guard = self.connection.lock().await;
        let changed = with!(guard, connection => {
            query(&statement).execute(&mut **connection).await.map(|result| result.rows_affected())
        });
        self.checked(changed)
    }

    /// Executes one or several statements without values, unprepared.
    pub(super) async fn execute_text(&self, sql: &str) -> Result<(), DbErr> {
        let mut guard = self.connection.lock().await;
        let done = with!(guard, connection => {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **connection).await.map(drop)
        });
        self.checked(done)
    }
}

/// Connections for reading: a few that are kept, opened when they are needed, and some more under load.
#[derive(Clone)]
pub(super) struct Readers {
    inner: Arc<Inner>,
}

struct Inner {
    pool: DatabaseConnection,
    /// Empty where the pool's one connection is shared with the writer: in memory.
    kept: Box<[Mutex<Option<Session>>]>,
    overflow: Semaphore,
    next: AtomicUsize,
    /// When the server last had no connection to spare.
    crowded_at: StdMutex<Option<Instant>>,
    retries: u32,
}

impl std::fmt::Debug for Readers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Readers").field("kept", &self.inner.kept.len()).finish()
    }
}

/// Where a query finds its connection.
enum Place<'readers> {
    Kept(MutexGuard<'readers, Option<Session>>),
    Overflow(#[expect(dead_code, reason = "held while the connection is used")] tokio::sync::SemaphorePermit<'readers>),
    Pool,
}

impl Place<'_> {
    /// Its connection, if one is open.
    fn take(&mut self) -> Option<Session> {
        match self {
            Self::Kept(kept) => kept.take(),
            Self::Overflow(_) | Self::Pool => None,
        }
    }
}

impl Readers {
    /// Readers that keep up to `kept` connections of a pool and open `overflow` more under load; with none kept each
    /// query takes one of the pool's. A query that lost its connection is asked again up to `retries` times.
    pub(super) fn new(pool: DatabaseConnection, kept: u32, overflow: u32, retries: u32) -> Self {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let kept = (0..size(kept)).map(|_| Mutex::new(None)).collect();
        let overflow = Semaphore::new(size(overflow));
        let (next, crowded_at) = (AtomicUsize::new(0), StdMutex::default());
        Self { inner: Arc::new(Inner { pool, kept, overflow, next, crowded_at, retries }) }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.inner.pool.get_database_backend()
    }

    pub(super) async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut attempt = 0;
        loop {
            match self.ask(statement.clone()).await {
                Err(error) if attempt < self.inner.retries && fault(&error) != Fault::Lasting => {
                    attempt += 1;
                    tracing::debug!(%error, attempt, "a query is asked again");
                    tokio::time::sleep(pause_before(attempt)).await;
                }
                result => return result,
            }
        }
    }

    pub(super) async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    /// Closes the kept connections and the pool.
    pub(super) async fn close(&self) -> Result<(), DbErr> {
        for place in &self.inner.kept {
            if let Some(session) = place.lock().await.take() {
                session.close().await;
            }
        }
        self.inner.pool.close_by_ref().await
    }

    /// A caller that goes away in the middle takes the connection along: nobody else finds it in an unknown state.
    async fn ask(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut place = self.place().await;
        let session = match place.take() {
            Some(session) => session,
            None => match tokio::time::timeout(OPENING, Session::of(&self.inner.pool)).await {
                Ok(Ok(session)) => session,
                Ok(Err(error)) if !is_crowded(&error) => return Err(error),
                // The server has no more connections for this process: those that it has must do.
                _ => {
                    drop(place);
                    self.inner.crowded_at.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
                    place = self.opened().await.map_or(Place::Pool, Place::Kept);
                    match place.take() {
                        Some(session) => session,
                        None => Session::of(&self.inner.pool).await?,
                    }
                }
            },
        };
        let result = session.query_all_raw(statement).await;
        match place {
            Place::Kept(mut kept) if !session.is_lost() => *kept = Some(session),
            _ if session.is_lost() => session.close().await,
            _ => {}
        }
        result
    }

    /// A place whose connection is open, when its turn comes.
    async fn opened(&self) -> Option<MutexGuard<'_, Option<Session>>> {
        let Inner { kept, next, .. } = &*self.inner;
        let first = next.fetch_add(1, Ordering::Relaxed);
        for turn in 0..kept.len() {
            let place = kept.get(first.wrapping_add(turn) % kept.len())?.lock().await;
            if place.is_some() {
                return Some(place);
            }
        }
        None
    }

    /// A free kept connection, else one more while there may be more, else the next one's turn is waited for.
    async fn place(&self) -> Place<'_> {
        let Inner { kept, overflow, next, crowded_at, .. } = &*self.inner;
        let is_crowded = crowded_at.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < CROWDED);
        if is_crowded && let Some(open) = self.opened().await {
            return Place::Kept(open);
        }
        let mut unopened = None;
        for place in kept {
            match place.try_lock() {
                Ok(open) if open.is_some() => return Place::Kept(open),
                Ok(free) => unopened = unopened.or(Some(free)),
                Err(_) => {}
            }
        }
        if let Some(free) = unopened {
            return Place::Kept(free);
        }
        if let Ok(permit) = overflow.try_acquire() {
            return Place::Overflow(permit);
        }
        let turn = next.fetch_add(1, Ordering::Relaxed) % kept.len().max(1);
        match kept.get(turn) {
            Some(place) => Place::Kept(place.lock().await),
            None => Place::Pool,
        }
    }
}

/// How long to wait before a further attempt, the first being 1: longer each time, and never the same for two processes.
pub(super) fn pause_before(attempt: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(20);
    const LONGEST: Duration = Duration::from_secs(2);
    let full = FIRST.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(LONGEST);
    // The last bits of a new id are random.
    let share = u32::from(UuidIds.next_id().as_bytes().last().copied().unwrap_or_default());
    full / 2 + full.saturating_mul(share) / 512
}
