//! How SQLite files are opened.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::ConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sea_orm::{DatabaseConnection, DbErr, SqlxSqliteConnector};

use super::error::{DatabaseError, driver_error, failed};
use super::pools::Pools;
use super::session::Readers;

/// How long a writer waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often, and after which pause, a file is tried that another process is just making: as long as a busy writer.
const OPEN_ATTEMPTS: u32 = 100;
const OPEN_PAUSE: Duration = Duration::from_millis(50);
/// How long a query waits for a free reader.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Each reader is a thread: more of them than a few only cost switches between them, reads are short.
const MAX_READERS: u32 = 4;
/// A reader that nobody needs is closed: each holds a thread and a cache.
const READER_IDLE: Duration = Duration::from_secs(60);
/// Page caches grow up to these KiB; negative is SQLite's way to say KiB.
const WRITER_CACHE: &str = "-6000";
const READER_CACHE: &str = "-512";
/// Pages of the log after which the writer copies them into the file (16 MiB).
const CHECKPOINT_PAGES: &str = "4000";
/// The log is cut back to this size after a burst.
const LOG_LIMIT_BYTES: &str = "67108864";
/// Room for every size of every multi-row statement.
const STATEMENTS: usize = 128;

/// Opens a database in memory. Two connections to memory would be two databases: reads and writes share one.
pub(super) async fn open_memory() -> Result<Pools, DatabaseError> {
    let pool = wrap(writer_pool(writer_options().create_if_missing(true), 1).await?);
    let readers = Readers::new(pool.clone(), 0, 0, 0);
    Ok(Pools { writer: pool.clone(), reader_pool: pool.clone(), readers, schema: pool, listener: None, keeps_writer: false })
}

/// Opens the file, or makes it. The writer is opened at once, the readers when they are needed.
pub(super) async fn open_file(path: &Path, readers: u32) -> Result<Pools, DatabaseError> {
    make_folder(path).await?;
    let writer = writer_pool(writer_options().filename(path).create_if_missing(true), 2).await?;
    let reader_options = options()
        .filename(path)
        .pragma("cache_size", READER_CACHE)
        .pragma("query_only", "ON")
        .thread_name(|place| format!("db-reader-{place}"));
    let readers = readers.clamp(1, MAX_READERS);
    let pool = SqlitePoolOptions::new()
        // One more than is kept, for questions about the schema.
        .max_connections(readers.saturating_add(1))
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(READER_IDLE)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(reader_options);
    let pool = wrap(pool);
    let writer = wrap(writer);
    let readers = Readers::new(pool.clone(), readers, 0, 0);
    Ok(Pools { writer: writer.clone(), reader_pool: pool, readers, schema: writer, listener: None, keeps_writer: true })
}

/// The heartbeat's pool for a file, of one connection on the current runtime. It asks again by itself when the file is
/// busy, waits for no disk, and leaves it to the writer to copy the log.
pub(super) fn lease_pool(file: &Path) -> DatabaseConnection {
    let options = options()
        .filename(file)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::ZERO)
        .pragma("cache_size", READER_CACHE)
        .pragma("wal_autocheckpoint", "0")
        .thread_name(|_| "db-lease".to_owned());
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false);
    wrap(pool.connect_lazy_with(options))
}

async fn make_folder(file: &Path) -> Result<(), DatabaseError> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => tokio::fs::create_dir_all(folder).await.map_err(DatabaseError::Folder),
        _ => Ok(()),
    }
}

fn options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .statement_cache_capacity(STATEMENTS)
        .pragma("temp_store", "MEMORY")
        .disable_statement_logging()
}

fn writer_options() -> SqliteConnectOptions {
    options()
        .pragma("cache_size", WRITER_CACHE)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", LOG_LIMIT_BYTES)
        .thread_name(|_| "db-writer".to_owned())
}

/// The writer's connection, and in a file one more for changes of the schema.
async fn writer_pool(options: SqliteConnectOptions, connections: u32) -> Result<SqlitePool, DatabaseError> {
    let idle = if connections > 1 { Some(READER_IDLE) } else { None };
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(idle)
        .max_lifetime(None)
        .test_before_acquire(false);
    // Two processes that make a new file at the same moment: for the change to WAL, SQLite does not wait by itself.
    for _ in 0..OPEN_ATTEMPTS {
        match pool.clone().connect_with(options.clone()).await {
            Err(error) if is_locked(&error) => tokio::time::sleep(OPEN_PAUSE).await,
            opened => return opened.map_err(|error| failed(error).into()),
        }
    }
    pool.connect_with(options).await.map_err(|error| failed(error).into())
}

/// Whether another connection holds what is needed.
pub(super) fn is_busy(error: &DbErr) -> bool {
    driver_error(error).is_some_and(is_locked)
}

fn is_locked(error: &sea_orm::sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    // The lowest byte of an extended code is the plain one: SQLITE_BUSY or SQLITE_LOCKED.
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
}

fn wrap(pool: SqlitePool) -> DatabaseConnection {
    SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)
}
