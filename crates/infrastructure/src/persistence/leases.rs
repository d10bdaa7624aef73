//! The heartbeat, on a connection of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{LeaseRenewal, StoreError};
use crewd_domain::runs::RunStatus;
use crewd_domain::shared::{RunId, WorkerId};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{ConnectOptions, Connection};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr, Statement, Value};

use super::dialect::{now_micros, statement};
use super::error::{closed, unavailable};
use super::rows::CellReader;
use super::session::{self, Session};
use super::sqlite::is_locked;

/// How often, and after which pause, a busy database is tried: about four seconds. Other writers hold it for
/// milliseconds, but one after the other, so that a beat must be there in the gap between two of them.
const ATTEMPTS: u32 = 800;
const PAUSE: Duration = Duration::from_millis(5);

/// Prolongs leases apart from everything else: it opens a connection of its own in the runtime that calls it first, waits
/// for no pool and no queue of this process, and opens a new connection after a failure. A database in memory has only
/// one connection, which is used here as well.
#[derive(Clone)]
pub struct SeaLeases {
    source: Source,
}

#[derive(Clone)]
enum Source {
    Own(Arc<Own>),
    Shared(DatabaseConnection),
}

struct Own {
    options: SqliteConnectOptions,
    kept: Mutex<Kept>,
}

/// The connection between two beats.
enum Kept {
    None,
    Open(Box<SqliteConnection>),
    /// The database was closed: there are no more beats.
    Closed,
}

impl std::fmt::Debug for SeaLeases {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SeaLeases")
    }
}

impl SeaLeases {
    pub(super) fn own(options: SqliteConnectOptions) -> Self {
        Self { source: Source::Own(Arc::new(Own { options, kept: Mutex::new(Kept::None) })) }
    }

    pub(super) const fn shared(pool: DatabaseConnection) -> Self {
        Self { source: Source::Shared(pool) }
    }

    /// Gives the connection up. Later beats fail.
    pub(super) async fn close(&self) {
        if let Source::Own(own) = &self.source
            && let Kept::Open(connection) = own.swap(Kept::Closed)
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the connection of the heartbeat was not closed in order");
        }
    }
}

#[async_trait]
impl LeaseRenewal for SeaLeases {
    async fn renew(&self, worker: WorkerId, lease: Duration) -> Result<Vec<RunId>, StoreError> {
        let rows = match &self.source {
            Source::Own(own) => own.beat(worker, lease).await?,
            Source::Shared(pool) => shared_beat(pool, worker, lease).await.map_err(unavailable)?,
        };
        rows.iter().map(|row| CellReader::new(row).id().map(RunId::new)).collect()
    }
}

impl Own {
    fn swap(&self, next: Kept) -> Kept {
        std::mem::replace(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner), next)
    }

    async fn beat(&self, worker: WorkerId, lease: Duration) -> Result<Vec<QueryResult>, StoreError> {
        let mut attempt = 1;
        loop {
            match self.attempt(worker, lease).await {
                Err(Failure::Busy(_)) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
                Err(Failure::Busy(error) | Failure::Other(error)) => return Err(unavailable(failed(error))),
                Err(Failure::Closed) => return Err(closed()),
                Ok(rows) => return Ok(rows),
            }
            attempt += 1;
        }
    }

    /// A connection is put back only after a whole beat: one that failed or was given up half-way is closed, and with it
    /// ends any transaction it was in.
    async fn attempt(&self, worker: WorkerId, lease: Duration) -> Result<Vec<QueryResult>, Failure> {
        let mut connection = match self.swap(Kept::None) {
            Kept::Open(connection) => connection,
            Kept::None => Box::new(self.options.connect().await?),
            Kept::Closed => {
                self.swap(Kept::Closed);
                return Err(Failure::Closed);
            }
        };
        let result = beat(&mut connection, worker, lease).await;
        // A busy database has refused to begin: nothing is open.
        if matches!(result, Ok(_) | Err(Failure::Busy(_))) {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*kept, Kept::Closed) {
                *kept = Kept::Open(connection);
            }
        }
        result
    }
}

enum Failure {
    /// Another writer holds the database.
    Busy(sea_orm::sqlx::Error),
    Other(sea_orm::sqlx::Error),
    Closed,
}

impl From<sea_orm::sqlx::Error> for Failure {
    fn from(error: sea_orm::sqlx::Error) -> Self {
        if is_locked(&error) { Self::Busy(error) } else { Self::Other(error) }
    }
}

fn failed(error: sea_orm::sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// A worker that holds nothing writes nothing.
async fn beat(connection: &mut SqliteConnection, worker: WorkerId, lease: Duration) -> Result<Vec<QueryResult>, Failure> {
    let held = held(worker);
    let rows = session::query(&held).fetch_all(&mut *connection).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut text = prolonged(worker, lease);
    text.sql = format!("BEGIN IMMEDIATE; {}; {}; COMMIT", text.sql, held.sql);
    if let (Some(values), Some(more)) = (text.values.as_mut(), held.values) {
        values.0.extend(more.0);
    }
    let rows = session::query(&text).fetch_all(&mut *connection).await?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}

/// The same where the one connection is held for as long as it takes.
async fn shared_beat(pool: &DatabaseConnection, worker: WorkerId, lease: Duration) -> Result<Vec<QueryResult>, DbErr> {
    let session = Session::of(pool).await?;
    session.execute_raw(prolonged(worker, lease)).await?;
    session.query_all_raw(held(worker)).await
}

fn held(worker: WorkerId) -> Statement {
    let sql = "SELECT r.id FROM runs r WHERE r.status IN (?, ?) AND r.lease_owner = ? ORDER BY r.id";
    statement(DbBackend::Sqlite, sql, holder(worker).to_vec())
}

fn prolonged(worker: WorkerId, lease: Duration) -> Statement {
    let mut values = vec![Value::from(super::writer::lease_micros(lease))];
    values.extend(holder(worker));
    let now = now_micros(DbBackend::Sqlite);
    let sql = format!("UPDATE runs SET lease_until = {now} + ? WHERE status IN (?, ?) AND lease_owner = ?");
    statement(DbBackend::Sqlite, sql, values)
}

fn holder(worker: WorkerId) -> [Value; 3] {
    [RunStatus::Running.as_str().into(), RunStatus::Cancelling.as_str().into(), worker.to_string().into()]
}
