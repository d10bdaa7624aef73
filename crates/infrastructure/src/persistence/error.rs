//! What went wrong, in the words of the ports.

use crewd_application::ports::StoreError;
use sea_orm::sqlx::error::ErrorKind;
use sea_orm::sqlx::mysql::MySqlDatabaseError;
use sea_orm::sqlx::{self};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlErr};
use thiserror::Error;

use super::info::Engine;

/// Why a database cannot be opened, used or migrated.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The URL names no database this build knows, or has parts it does not know.
    #[error("the database URL is not understood: {0}")]
    Url(String),
    /// The folder of the file cannot be made.
    #[error("the folder of the database cannot be made")]
    Folder(#[source] std::io::Error),
    /// Nobody answers at the address, or TLS cannot be agreed on.
    #[error("the database at {address} cannot be reached: {reason}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system says.
        reason: String,
    },
    /// User or password are wrong, or the user may not use this database.
    #[error("the database refuses the user: {0}")]
    AccessDenied(String),
    /// The server has no database of this name.
    #[error("the database is missing: {0}")]
    NoSuchDatabase(String),
    /// The server has no connection to spare.
    #[error("the database has no connection to spare: {0}")]
    TooManyConnections(String),
    /// Nothing can be written.
    #[error("the database is read-only: {0}")]
    ReadOnly(String),
    /// The server lacks what crewd needs.
    #[error("{engine} {version} is too old: crewd needs {needed} or later")]
    TooOld {
        /// Which one.
        engine: Engine,
        /// What it says of itself.
        version: String,
        /// The oldest version that will do.
        needed: &'static str,
    },
    /// Another process has been changing the schema for too long.
    #[error("another process has been changing the schema for {0} seconds")]
    SchemaLocked(u64),
    /// Changes of the schema are missing.
    #[error("the database's schema is not current")]
    OldSchema,
    /// A move into the database has not ended.
    #[error("a move into this database has not ended")]
    HalfMoved,
    /// The schema was made by a newer crewd.
    #[error("the schema has changes that this build does not know: {0}")]
    NewerSchema(String),
    /// The database refuses.
    #[error("the database refuses: {0}")]
    Database(DbErr),
}

impl From<DbErr> for DatabaseError {
    fn from(error: DbErr) -> Self {
        let text = || driver_error(&error).map_or_else(|| error.to_string(), driver_text);
        match code(&error) {
            Code::Access => Self::AccessDenied(text()),
            Code::NoDatabase => Self::NoSuchDatabase(text()),
            Code::Connections => Self::TooManyConnections(text()),
            Code::ReadOnly => Self::ReadOnly(text()),
            _ => Self::Database(error),
        }
    }
}

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is gone, or may be in any state: the next try needs another one.
    Lost,
    /// The database took the work back and wants it tried again: a deadlock, a serialization failure.
    Again,
    /// The same would fail again.
    Lasting,
}

/// What a failure of the driver means.
pub(super) fn fault(error: &DbErr) -> Fault {
    match driver_error(error) {
        Some(sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed) => Fault::Lost,
        Some(sqlx::Error::PoolTimedOut) => Fault::Lost,
        Some(sqlx::Error::Database(_)) => match code(error) {
            Code::Lost | Code::Connections => Fault::Lost,
            Code::Again => Fault::Again,
            _ => Fault::Lasting,
        },
        _ => Fault::Lasting,
    }
}

/// Whether the server has no connection to spare.
pub(super) fn is_crowded(error: &DbErr) -> bool {
    matches!(code(error), Code::Connections)
}

/// Whether a statement speaks of a table that is not there.
pub(super) fn is_missing_table(error: &DbErr) -> bool {
    matches!(code(error), Code::NoTable)
}

/// As [`fault`], of a failure that is already in the words of the ports.
pub(super) fn store_fault(error: &StoreError) -> Fault {
    match error {
        StoreError::Unavailable(source) => source.downcast_ref::<DbErr>().map_or(Fault::Lasting, fault),
        _ => Fault::Lasting,
    }
}

/// The meaning of a code, over all engines.
enum Code {
    Access,
    NoDatabase,
    NoTable,
    Connections,
    ReadOnly,
    Lost,
    Again,
    Other,
}

fn code(error: &DbErr) -> Code {
    let refusal = match driver_error(error) {
        Some(sqlx::Error::Database(refusal)) => refusal,
        // A server that is full is asked again until time is up.
        Some(sqlx::Error::PoolTimedOut) => return Code::Connections,
        _ if matches!(error, DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) => return Code::Connections,
        _ => return Code::Other,
    };
    // SQLite has one code for all that is wrong with a statement.
    if refusal.message().starts_with("no such table") {
        return Code::NoTable;
    }
    if let Some(refusal) = refusal.try_downcast_ref::<MySqlDatabaseError>() {
        return match refusal.number() {
            1044 | 1045 | 1142 | 1227 | 1698 => Code::Access,
            1049 => Code::NoDatabase,
            1146 => Code::NoTable,
            1040 | 1203 | 1226 => Code::Connections,
            1290 | 1792 | 1836 => Code::ReadOnly,
            // Shut down, killed, gone away, lost, disconnected for idleness; OceanBase: not the master, in recovery.
            1053 | 1077 | 1079 | 1317 | 1927 | 2006 | 2013 | 4031 | 4038 | 4023 => Code::Lost,
            // Lock wait time-out, deadlock, a row that changed; OceanBase: rolled back, lock conflict, timed out, set changed.
            1020 | 1205 | 1213 | 6002 | 6003 | 6005 | 6210 | 6211 | 6213 | 6224 => Code::Again,
            _ => Code::Other,
        };
    }
    match refusal.code().as_deref().unwrap_or_default() {
        "28000" | "28P01" | "42501" => Code::Access,
        "3D000" => Code::NoDatabase,
        "42P01" => Code::NoTable,
        "53300" => Code::Connections,
        "25006" => Code::ReadOnly,
        "57P01" | "57P02" | "57P03" => Code::Lost,
        state if state.starts_with("08") => Code::Lost,
        "40001" | "40P01" | "55P03" => Code::Again,
        _ => Code::Other,
    }
}

pub(super) fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => Some(error),
        _ => None,
    }
}

fn driver_text(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// A failure of the driver as sea-orm words it.
pub(super) fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// Reading and writing: a failed answer may be asked for again.
pub(super) fn unavailable(error: DbErr) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// Inserting: a taken key is told apart.
pub(super) fn insert_error(error: DbErr, key_name: &str) -> StoreError {
    let is_taken = matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
        || driver_error(&error)
            .and_then(sqlx::Error::as_database_error)
            .is_some_and(|error| error.kind() == ErrorKind::UniqueViolation);
    if is_taken { StoreError::Duplicate(key_name.to_owned()) } else { unavailable(error) }
}

/// The same failure for one more listener. Errors of the driver cannot be copied; their text can.
pub(super) fn again(error: &StoreError) -> StoreError {
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    StoreError::Unavailable(text.into())
}

/// The database has been closed, or its writer is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(Box::new(std::io::Error::new(std::io::ErrorKind::NotConnected, "the database is closed")))
}
