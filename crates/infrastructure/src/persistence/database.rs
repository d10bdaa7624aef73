//! The handle of a database.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::address::{self, Address};
use super::error::DatabaseError;
use super::health::DatabaseHealth;
use super::leases::SeaLeases;
use super::queries::SeaRunQueries;
use super::queue::SeaRunQueue;
use super::schedules::SeaSchedules;
use super::sqlite::{self, Pools};
use super::store::SeaStore;
use super::webhooks::SeaWebhooks;
use super::writer::{self, WriterHandle};

/// Which database, and how to use it.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `sqlite://<path>`, `sqlite+aiosqlite:///<path>` or `sqlite::memory:`. Folder and file are made if missing.
    pub url: String,
    /// Most connections that read at once. They are opened when needed and closed when idle.
    pub readers: u32,
}

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
    /// For a URL that is not understood or not supported yet, and where the file cannot be opened or made.
    pub async fn connect(config: DatabaseConfig) -> Result<Self, DatabaseError> {
        let address: Address = address::parse(&config.url)?;
        let pools = sqlite::open(&address, config.readers).await?;
        let (writer, task) = writer::start(pools.writer.clone(), pools.is_file);
        let leases = match &address {
            Address::Memory => SeaLeases::shared(pools.writer.clone()),
            Address::File(file) => SeaLeases::own(sqlite::lease_options(file)),
        };
        Ok(Self { inner: Arc::new(Inner { pools, writer, leases, writer_task: Mutex::new(Some(task)) }) })
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
        SeaRunQueue::new(self.inner.writer.clone(), self.inner.pools.readers.clone())
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

    /// The line `database` of readiness.
    #[must_use]
    pub fn health(&self) -> DatabaseHealth {
        DatabaseHealth::new(self.clone())
    }

    /// How many connections are open, writer and readers together.
    #[must_use]
    pub fn pool_state(&self) -> PoolState {
        let pools = [&self.inner.pools.writer, &self.inner.pools.reader_pool];
        let mut state = PoolState { idle: 0, in_use: 0 };
        for pool in pools.map(DatabaseConnection::get_sqlite_connection_pool) {
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            state.idle += idle;
            state.in_use += pool.size().saturating_sub(idle);
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
        let Pools { writer, readers, .. } = &self.inner.pools;
        let checkpoint = writer.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await;
        readers.close().await?;
        writer.close_by_ref().await?;
        checkpoint?;
        Ok(())
    }

    pub(super) fn has_writer(&self) -> bool {
        self.inner.writer.is_alive()
    }

    pub(super) fn writer_connection(&self) -> &DatabaseConnection {
        &self.inner.pools.writer
    }

    pub(super) fn read_connection(&self) -> &DatabaseConnection {
        &self.inner.pools.reader_pool
    }
}
