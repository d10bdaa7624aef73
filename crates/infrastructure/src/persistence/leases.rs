//! The heartbeat, on a connection of its own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{LeaseRenewal, StoreError};
use crewd_domain::runs::RunStatus;
use crewd_domain::shared::{RunId, WorkerId};
use sea_orm::{DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, Value};

use super::dialect::{now_micros, statement};
use super::error::{Fault, closed, fault, unavailable};
use super::info::Capabilities;
use super::pools::LeaseSource;
use super::rows::CellReader;
use super::session::{Session, pause_before};
use super::sqlite::is_busy;

/// How often, and after which pause, a busy database is tried: about four seconds. Other writers hold it for
/// milliseconds, but one after the other, so that a beat must be there in the gap between two of them.
const ATTEMPTS: u32 = 800;
const PAUSE: Duration = Duration::from_millis(5);

/// How often a beat is tried again after a lost connection or a deadlock, before the next beat's turn comes.
const RETRIES: u32 = 5;

/// Prolongs leases apart from everything else: it opens a connection of its own in the runtime that calls it first, waits
/// for no pool and no queue of this process, and opens a new connection after a failure. A database in memory has only
/// one connection, which is used here as well.
#[derive(Clone)]
pub struct SeaLeases {
    inner: Arc<Inner>,
}

struct Inner {
    source: LeaseSource,
    capabilities: Capabilities,
    kept: Mutex<Kept>,
}

/// The connection between two beats.
enum Kept {
    None,
    Open(Link),
    /// The database was closed: there are no more beats.
    Closed,
}

/// A pool of one connection, and that connection.
struct Link {
    pool: DatabaseConnection,
    session: Session,
}

impl std::fmt::Debug for SeaLeases {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SeaLeases")
    }
}

impl SeaLeases {
    pub(super) fn new(source: LeaseSource, capabilities: Capabilities) -> Self {
        Self { inner: Arc::new(Inner { source, capabilities, kept: Mutex::new(Kept::None) }) }
    }

    /// Gives the connection up. Later beats fail.
    pub(super) async fn close(&self) {
        if let Kept::Open(link) = self.inner.swap(Kept::Closed) {
            link.session.close().await;
        }
    }
}

#[async_trait]
impl LeaseRenewal for SeaLeases {
    async fn renew(&self, worker: WorkerId, lease: Duration) -> Result<Vec<RunId>, StoreError> {
        let rows = self.inner.beat(worker, lease).await?;
        rows.iter().map(|row| CellReader::new(row).id().map(RunId::new)).collect()
    }
}

enum Failure {
    Closed,
    Database(DbErr),
}

impl From<DbErr> for Failure {
    fn from(error: DbErr) -> Self {
        Self::Database(error)
    }
}

impl Inner {
    fn swap(&self, next: Kept) -> Kept {
        std::mem::replace(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner), next)
    }

    async fn beat(&self, worker: WorkerId, lease: Duration) -> Result<Vec<QueryResult>, StoreError> {
        let (mut busy, mut failed) = (1, 0);
        loop {
            match self.attempt(worker, lease).await {
                Ok(rows) => return Ok(rows),
                Err(Failure::Closed) => return Err(closed()),
                Err(Failure::Database(error)) if is_busy(&error) && busy < ATTEMPTS => {
                    busy += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Failure::Database(error)) if fault(&error) != Fault::Lasting && failed < RETRIES => {
                    failed += 1;
                    tokio::time::sleep(pause_before(failed)).await;
                }
                Err(Failure::Database(error)) => return Err(unavailable(error)),
            }
        }
    }

    /// A connection is put back only after a whole beat: one that failed or was given up half-way is closed, and with it
    /// ends any transaction it was in.
    async fn attempt(&self, worker: WorkerId, lease: Duration) -> Result<Vec<QueryResult>, Failure> {
        let link = match self.swap(Kept::None) {
            Kept::Open(link) => link,
            Kept::None => {
                let pool = self.source.pool();
                Link { session: Session::of(&pool).await?, pool }
            }
            Kept::Closed => {
                self.swap(Kept::Closed);
                return Err(Failure::Closed);
            }
        };
        let result = beat(&link.session, &link.pool, self.capabilities, worker, lease).await;
        // A busy database has refused to begin: nothing is open.
        let is_whole = result.as_ref().map_or_else(is_busy, |_| true);
        if self.source.is_shared() {
            return Ok(result?);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if is_whole && !matches!(*kept, Kept::Closed) {
            *kept = Kept::Open(link);
        }
        drop(kept);
        Ok(result?)
    }
}

/// A worker that holds nothing writes nothing.
async fn beat(
    session: &Session,
    pool: &DatabaseConnection,
    capabilities: Capabilities,
    worker: WorkerId,
    lease: Duration,
) -> Result<Vec<QueryResult>, DbErr> {
    let backend = pool.get_database_backend();
    let held = held(backend, worker);
    if session.query_one_raw(held.clone()).await?.is_none() {
        return Ok(Vec::new());
    }
    let mut prolonged = prolonged(backend, worker, lease);
    if capabilities.returning {
        prolonged.sql.push_str(" RETURNING id");
        return session.query_all_raw(prolonged).await;
    }
    session.execute_raw(prolonged).await?;
    session.query_all_raw(held).await
}

fn held(backend: DbBackend, worker: WorkerId) -> Statement {
    let sql = "SELECT r.id FROM runs r WHERE r.status IN (?, ?) AND r.lease_owner = ? ORDER BY r.id";
    statement(backend, sql, holder(worker).to_vec())
}

fn prolonged(backend: DbBackend, worker: WorkerId, lease: Duration) -> Statement {
    let mut values = vec![Value::from(super::writer::lease_micros(lease))];
    values.extend(holder(worker));
    let now = now_micros(backend);
    let sql = format!("UPDATE runs SET lease_until = {now} + ? WHERE status IN (?, ?) AND lease_owner = ?");
    statement(backend, sql, values)
}

fn holder(worker: WorkerId) -> [Value; 3] {
    [RunStatus::Running.as_str().into(), RunStatus::Cancelling.as_str().into(), worker.to_string().into()]
}
