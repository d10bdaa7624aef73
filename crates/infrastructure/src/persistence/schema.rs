//! Migrations: the schema of a database, up and down.

use crewd_migrations::{Migrator, MigratorTrait};
use sea_orm::{DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use sea_orm_migration::MigrationStatus;

use super::database::Database;
use super::error::DatabaseError;

/// Applies all changes of the schema that are missing, in one transaction. Several processes may do it at once: the
/// later ones wait and find nothing to do.
///
/// # Errors
/// Where a change fails, or a change that this build does not know has been applied. Nothing is changed then.
pub async fn migrate_up(database: &Database) -> Result<(), DatabaseError> {
    // The usual start of a process must not queue up behind those that write.
    if is_current(database).await.unwrap_or(false) {
        return Ok(());
    }
    let transaction = begin(database).await?;
    let result = Migrator::up(&transaction, None).await;
    end(transaction, result).await
}

/// Takes back the newest changes of the schema, with all data that lies in them.
///
/// # Errors
/// Where a change cannot be taken back. Nothing is changed then.
pub async fn migrate_down(database: &Database, steps: u32) -> Result<(), DatabaseError> {
    let transaction = begin(database).await?;
    let result = Migrator::down(&transaction, Some(steps)).await;
    end(transaction, result).await
}

/// Every change this build knows, oldest first, and whether it has been applied. Changes nothing.
///
/// # Errors
/// Where the database does not answer, or holds a change that this build does not know.
pub async fn migration_status(database: &Database) -> Result<Vec<(String, bool)>, DatabaseError> {
    let migrations = Migrator::get_migration_with_status_read_only(database.read_connection()).await?;
    Ok(migrations.iter().map(|one| (one.name().to_owned(), one.status() == MigrationStatus::Applied)).collect())
}

/// Whether every change this build knows has been applied.
///
/// # Errors
/// As [`migration_status`].
pub async fn is_current(database: &Database) -> Result<bool, DatabaseError> {
    Ok(migration_status(database).await?.iter().all(|(_, is_applied)| *is_applied))
}

async fn begin(database: &Database) -> Result<DatabaseTransaction, DbErr> {
    let options =
        TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..TransactionOptions::default() };
    database.writer_connection().begin_with_options(options).await
}

async fn end(transaction: DatabaseTransaction, result: Result<(), DbErr>) -> Result<(), DatabaseError> {
    match result {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            transaction.rollback().await?;
            Err(error.into())
        }
    }
}
