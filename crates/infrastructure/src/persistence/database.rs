//! The handle of a database.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use crewd_application::ports::Clock;
use crewd_telemetry::Metrics;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::address::{self, Address, database_name};
use super::config::DatabaseConfig;
use super::dialect::now_micros;
use super::duties::SeaDuties;
use super::error::DatabaseError;
use super::health::DatabaseHealth;
use super::info::{self, DatabaseInfo};
use super::leases::SeaLeases;
use super::notify::PostgresNotify;
use super::pools::{Pools, sizes};
use super::queries::SeaRunQueries;
use super::queue::SeaRunQueue;
use super::schedules::SeaSchedules;
use super::server::Opener;
use super::session::{Readers, Session};
use super::store::SeaStore;
use super::webhooks::SeaWebhooks;
use super::writer::{self, WriterHandle};
use crate::clock::SystemClock;

/// How busy the connections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Open and waiting for work.
    pub idle: u32,
    /// At work.
    pub in_use: u32,
}

/// An open database. Clones are the same database; the last thing a process does with it is [`Database::close`].
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    info: DatabaseInfo,
    pools: Pools,
    writer: WriterHandle,
    leases: SeaLeases,
    writer_task: Mutex<Option<JoinHandle<()>>>,
}

impl Database {
    /// Opens a database and starts its writer on the current runtime. The schema is not touched: see
    /// [`migrate_up`](super::migrate_up).
    ///
    /// # Errors
    /// For a URL that is not understood, where the file cannot be opened or made, and where the server cannot be reached,
    /// refuses, or is too old.
    pub async fn connect(config: DatabaseConfig) -> Result<Self, DatabaseError> {
        let (pools, lease_source) = Pools::open(&config).await?;
        let session = Session::of(&pools.reader_pool).await?;
        let info = info::ask(&session, pools.reader_pool.get_database_backend(), config.notify).await?;
        drop(session);
        let (writer, task) = writer::start(&pools, info.capabilities, config.retries);
        let leases = SeaLeases::new(lease_source, info.capabilities);
        Ok(Self { inner: Arc::new(Inner { info, pools, writer, leases, writer_task: Mutex::new(Some(task)) }) })
    }

    /// What the database says of itself.
    #[must_use]
    pub fn describe(&self) -> &DatabaseInfo {
        &self.inner.info
    }

    /// The port for units of work.
    #[must_use]
    pub fn store(&self) -> SeaStore {
        SeaStore::new(self.inner.writer.clone())
    }

    /// The port for reading.
    #[must_use]
    pub fn queries(&self) -> SeaRunQueries {
        SeaRunQueries::new(self.inner.pools.readers.clone())
    }

    /// The port of workers.
    #[must_use]
    pub fn queue(&self) -> SeaRunQueue {
        SeaRunQueue::new(self.inner.writer.clone(), self.inner.pools.readers.clone(), self.inner.info.capabilities)
    }

    /// The port of the heartbeat. It may be called on any runtime, best on one of its own.
    #[must_use]
    pub fn leases(&self) -> SeaLeases {
        self.inner.leases.clone()
    }

    /// The port of endpoints and deliveries.
    #[must_use]
    pub fn webhooks(&self) -> SeaWebhooks {
        SeaWebhooks::new(self.inner.writer.clone(), self.inner.pools.readers.clone())
    }

    /// The port of schedules.
    #[must_use]
    pub fn schedules(&self) -> SeaSchedules {
        SeaSchedules::new(self.inner.writer.clone(), self.inner.pools.readers.clone())
    }

    /// The port of what one process does for all.
    #[must_use]
    pub fn duties(&self) -> SeaDuties {
        SeaDuties::new(self.inner.writer.clone(), self.inner.pools.readers.clone())
    }

    /// A way for hints between processes; `None` where the database has none, or it is switched off. `origin` is this
    /// process among all.
    #[must_use]
    pub fn notify(&self, origin: Uuid, metrics: Arc<Metrics>) -> Option<PostgresNotify> {
        let opener = self.inner.pools.listener.clone().filter(|_| self.inner.info.capabilities.notify)?;
        Some(PostgresNotify::new(opener, self.inner.pools.readers.clone(), origin, metrics))
    }

    /// The line `database` of readiness.
    #[must_use]
    pub fn health(&self) -> DatabaseHealth {
        DatabaseHealth::new(self.clone())
    }

    /// How many connections are open, writer and readers together.
    #[must_use]
    pub fn pool_state(&self) -> PoolState {
        let mut state = PoolState { idle: 0, in_use: 0 };
        for pool in [&self.inner.pools.writer, &self.inner.pools.reader_pool] {
            let (size, idle) = sizes(pool);
            state.idle += idle;
            state.in_use += size.saturating_sub(idle);
        }
        state
    }

    /// Does what has been sent to the writer, copies the log into the file and closes all connections. Commits that
    /// come later fail with `Unavailable`. A second call does nothing.
    ///
    /// # Errors
    /// Where the log cannot be copied; nothing is lost then, the next start reads it.
    pub async fn close(&self) -> Result<(), DatabaseError> {
        let Some(task) = self.inner.writer_task.lock().await.take() else { return Ok(()) };
        self.inner.writer.close().await;
        if let Err(error) = task.await {
            tracing::error!(%error, "the database writer ended before its time");
        }
        self.inner.leases.close().await;
        let Pools { writer, readers, schema, .. } = &self.inner.pools;
        let checkpoint = match writer.get_database_backend() {
            DbBackend::Sqlite => writer.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map(drop),
            _ => Ok(()),
        };
        readers.close().await?;
        schema.close_by_ref().await?;
        writer.close_by_ref().await?;
        Ok(checkpoint?)
    }

    /// How far the database's clock is ahead of this machine's.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn clock_difference(&self) -> Result<chrono::TimeDelta, DatabaseError> {
        Ok(self.present().await? - SystemClock.now())
    }

    /// The present by the database's clock.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn present(&self) -> Result<DateTime<Utc>, DatabaseError> {
        let readers = self.readers();
        let question = Statement::from_string(readers.backend(), format!("SELECT {}", now_micros(readers.backend())));
        let row = readers.query_one_raw(question).await?;
        let present = row.map(|row| row.try_get_by::<i64, _>(0)).transpose()?.unwrap_or_default();
        Ok(DateTime::from_timestamp_micros(present).unwrap_or_default())
    }

    pub(super) fn has_writer(&self) -> bool {
        self.inner.writer.is_alive()
    }

    pub(super) fn schema_connection(&self) -> &DatabaseConnection {
        &self.inner.pools.schema
    }

    pub(super) fn readers(&self) -> &Readers {
        &self.inner.pools.readers
    }

    pub(super) fn read_connection(&self) -> &DatabaseConnection {
        &self.inner.pools.reader_pool
    }
}

/// Makes the database that the URL names, if it is missing: a file of SQLite is made when it is opened anyway. Whether it
/// was made.
///
/// # Errors
/// As [`Database::connect`], and where the user may not make databases.
pub async fn create_database(config: &DatabaseConfig) -> Result<bool, DatabaseError> {
    let address = address::parse(&config.url)?;
    let (Address::MySql(url) | Address::Postgres(url)) = &address else { return Ok(false) };
    let Some(opener) = Opener::new(&address, config)? else { return Ok(false) };
    match opener.check().await {
        Err(DatabaseError::NoSuchDatabase(_)) => {}
        result => return result.map(|()| false),
    }
    let name = database_name(url);
    let opener = opener.without_database().bound_statements().await;
    let pool = opener.pool(1);
    let backend = pool.get_database_backend();
    let sql = match backend {
        DbBackend::MySql => {
            format!("CREATE DATABASE `{}` CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", name.replace('`', "``"))
        }
        _ => format!("CREATE DATABASE \"{}\" ENCODING 'UTF8' TEMPLATE template0", name.replace('"', "\"\"")),
    };
    let made = pool.execute_raw(Statement::from_string(backend, sql)).await;
    pool.close().await?;
    match made {
        Ok(_) => Ok(true),
        // Somebody else made it at the same moment.
        Err(_) if is_there(&address, config).await => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn is_there(address: &Address, config: &DatabaseConfig) -> bool {
    match Opener::new(address, config) {
        Ok(Some(opener)) => opener.check().await.is_ok(),
        _ => false,
    }
}
