//! What went wrong, in the words of the ports.

use crewd_application::ports::StoreError;
use sea_orm::{DbErr, SqlErr};
use thiserror::Error;

/// Why a database cannot be opened or migrated.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The URL names no database this build knows, or has parts it does not know.
    #[error("the database URL is not understood: {0}")]
    Url(String),
    /// The database is planned and not there yet.
    #[error("{0} is not supported yet; use sqlite://<file>")]
    NotYet(&'static str),
    /// The folder of the file cannot be made.
    #[error("the folder of the database cannot be made")]
    Folder(#[source] std::io::Error),
    /// The database refuses.
    #[error("the database refuses: {0}")]
    Database(#[from] DbErr),
}

/// Reading and writing: a failed answer may be asked for again.
pub(super) fn unavailable(error: DbErr) -> StoreError {
    StoreError::Unavailable(Box::new(error))
}

/// Inserting: a taken key is told apart.
pub(super) fn insert_error(error: DbErr, key_name: &str) -> StoreError {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => StoreError::Duplicate(key_name.to_owned()),
        _ => unavailable(error),
    }
}

/// The database has been closed, or its writer is gone.
pub(super) fn closed() -> StoreError {
    StoreError::Unavailable(Box::new(std::io::Error::new(std::io::ErrorKind::NotConnected, "the database is closed")))
}
