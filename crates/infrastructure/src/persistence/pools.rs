//! The connections of an open database.

use std::path::PathBuf;

use sea_orm::{DatabaseConnection, DbBackend};

use super::address::{self, Address};
use super::config::DatabaseConfig;
use super::error::DatabaseError;
use super::server::Opener;
use super::session::Readers;
use super::sqlite;

/// One connection holds the lock of the schema while another one changes it.
const SCHEMA: u32 = 2;

/// The pool that writes and the pool that reads.
pub(super) struct Pools {
    pub(super) writer: DatabaseConnection,
    pub(super) reader_pool: DatabaseConnection,
    pub(super) readers: Readers,
    /// For changes of the schema, which may take as long as they need.
    pub(super) schema: DatabaseConnection,
    /// Where PostgreSQL's notifications are heard.
    pub(super) listener: Option<Opener>,
    /// Whether the writer keeps a connection of its own: not in memory, where readers need it.
    pub(super) keeps_writer: bool,
}

impl Pools {
    /// Opens a database of any kind.
    pub(super) async fn open(config: &DatabaseConfig) -> Result<(Self, LeaseSource), DatabaseError> {
        let address = address::parse(&config.url)?;
        if let Some(opener) = Opener::new(&address, config)? {
            opener.check().await?;
            let opener = opener.bound_statements().await;
            let writer = opener.pool(1);
            let schema = opener.clone().without_time_limit().pool(SCHEMA);
            let all = config.pool_size.saturating_add(config.max_overflow).saturating_add(1);
            let reader_pool = opener.pool(all);
            let readers = Readers::new(reader_pool.clone(), config.pool_size.max(1), config.max_overflow, config.retries);
            return Ok((
                Self { writer, reader_pool, readers, schema, listener: Some(opener.clone()), keeps_writer: true },
                LeaseSource::Server(Box::new(opener)),
            ));
        }
        match address {
            Address::File(path) => Ok((sqlite::open_file(&path, config.pool_size).await?, LeaseSource::File(path))),
            _ => {
                let pools = sqlite::open_memory().await?;
                let shared = LeaseSource::Shared(pools.writer.clone());
                Ok((pools, shared))
            }
        }
    }
}

/// Where the heartbeat finds its connection.
pub(super) enum LeaseSource {
    /// A database in memory has only one connection.
    Shared(DatabaseConnection),
    File(PathBuf),
    Server(Box<Opener>),
}

impl LeaseSource {
    /// A pool of one connection on the current runtime.
    pub(super) fn pool(&self) -> DatabaseConnection {
        match self {
            Self::Shared(pool) => pool.clone(),
            Self::File(path) => sqlite::lease_pool(path),
            Self::Server(opener) => opener.pool(1),
        }
    }

    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }
}

/// How many connections of a pool are open, and how many of them wait for work.
pub(super) fn sizes(pool: &DatabaseConnection) -> (u32, u32) {
    let (size, idle) = match pool.get_database_backend() {
        DbBackend::MySql => (pool.get_mysql_connection_pool().size(), pool.get_mysql_connection_pool().num_idle()),
        DbBackend::Postgres => (pool.get_postgres_connection_pool().size(), pool.get_postgres_connection_pool().num_idle()),
        _ => (pool.get_sqlite_connection_pool().size(), pool.get_sqlite_connection_pool().num_idle()),
    };
    (size, u32::try_from(idle).unwrap_or(u32::MAX))
}
