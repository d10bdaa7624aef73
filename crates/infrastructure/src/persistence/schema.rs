//! Migrations: the schema of a database, up and down.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crewd_migrations::{Existing, Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait, Value,
};

use super::address::{self, Address};
use super::config::DatabaseConfig;
use super::database::Database;
use super::dialect::statement;
use super::error::{DatabaseError, Fault, fault, is_missing_table};
use super::session::Session;

/// How long to wait for another process that changes the schema.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long another session's new table may stay unseen. OceanBase says of a table that it is there (`IF NOT EXISTS` does
/// nothing) some milliseconds before every session can use it; its nodes tell each other within seconds.
const UNSEEN: Duration = Duration::from_secs(10);
/// The advisory lock of the schema in PostgreSQL: "crewd" in ASCII.
const LOCK_NUMBER: i64 = 0x0063_7265_7764;
/// The table whose row does the same where changes of the schema end a transaction.
pub(super) const LOCK_TABLE: &str = "schema_lock";

/// Applies all changes of the schema that are missing. Several processes may do it at once: the later ones wait and find
/// nothing to do. Where the database takes changes of the schema back, nothing is changed if one fails; elsewhere
/// the same call goes on behind the last whole change.
///
/// # Errors
/// Where a change fails, or a change that this build does not know has been applied.
pub async fn migrate_up(database: &Database) -> Result<(), DatabaseError> {
    // The usual start of a process must not queue up behind those that write.
    if is_current(database).await.unwrap_or(false) {
        return Ok(());
    }
    change(database, None).await
}

/// Takes back the newest changes of the schema, with all data that lies in them.
///
/// # Errors
/// Where a change cannot be taken back.
pub async fn migrate_down(database: &Database, steps: u32) -> Result<(), DatabaseError> {
    change(database, Some(steps)).await
}

/// Up, or so many steps down.
async fn change(database: &Database, down: Option<u32>) -> Result<(), DatabaseError> {
    if !database.describe().capabilities.ddl_transactions {
        return change_by_steps(database, down).await;
    }
    let transaction = begin(database).await?;
    let result = match down {
        None => Migrator::up(&transaction, None).await,
        Some(steps) => Migrator::down(&transaction, Some(steps)).await,
    };
    end(transaction, result).await
}

/// Each change commits by itself: a session of its own holds a row meanwhile, and keeps others out. Not `GET_LOCK`:
/// OceanBase 4.3.5 gives the same name to two sessions when both ask at the same moment.
async fn change_by_steps(database: &Database, down: Option<u32>) -> Result<(), DatabaseError> {
    let connection = database.schema_connection();
    let lock = Session::of(connection).await?;
    let result = match hold(&lock).await {
        Ok(()) => match down {
            None => seen(async || Migrator::up(connection, None).await).await,
            // Not tried again: the steps would be counted anew.
            Some(steps) => Migrator::down(connection, Some(steps)).await,
        }
        .map_err(newer),
        Err(error) => Err(error),
    };
    // The row is free again when its session ends.
    lock.close().await;
    result
}

/// Waits for the row, in a transaction that stays open.
pub(super) async fn hold(lock: &Session) -> Result<(), DatabaseError> {
    lock.execute_text(&format!("CREATE TABLE IF NOT EXISTS {LOCK_TABLE} (id INT NOT NULL PRIMARY KEY)")).await?;
    seen(async || lock.execute_text(&format!("INSERT IGNORE INTO {LOCK_TABLE} (id) VALUES (1)")).await).await?;
    let wait = async {
        loop {
            lock.execute_text("START TRANSACTION").await?;
            let take = format!("SELECT id FROM {LOCK_TABLE} WHERE id = 1 FOR UPDATE");
            match lock.query_one_raw(Statement::from_string(DbBackend::MySql, take)).await {
                Ok(_) => return Ok(()),
                // The server lets nobody wait for ever.
                Err(error) if fault(&error) == Fault::Again => lock.execute_text("ROLLBACK").await?,
                Err(error) => return Err(error.into()),
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or(Err(DatabaseError::SchemaLocked(PATIENCE.as_secs())))
}

/// Does the work again while it misses a table that another session may just have made. What is done twice must do no harm.
async fn seen<T>(work: impl AsyncFn() -> Result<T, DbErr>) -> Result<T, DbErr> {
    let began = Instant::now();
    loop {
        match work().await {
            Err(error) if is_missing_table(&error) && began.elapsed() < UNSEEN => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
}

/// Every change this build knows, oldest first, and whether it has been applied. Changes nothing.
///
/// # Errors
/// Where the database does not answer, or holds a change that this build does not know.
pub async fn migration_status(database: &Database) -> Result<Vec<(String, bool)>, DatabaseError> {
    let readers = database.readers();
    let question = Statement::from_string(readers.backend(), "SELECT version FROM seaql_migrations");
    let mut applied: BTreeSet<String> = match readers.query_all_raw(question).await {
        Ok(rows) => rows.iter().map(|row| row.try_get_by(0)).collect::<Result<_, _>>()?,
        Err(error) if is_missing_table(&error) => BTreeSet::new(),
        Err(error) => return Err(error.into()),
    };
    let known = Migrator::migrations();
    let status = known.iter().map(|one| (one.name().to_owned(), applied.remove(one.name()))).collect();
    if applied.is_empty() { Ok(status) } else { Err(DatabaseError::NewerSchema(Vec::from_iter(applied).join(", "))) }
}

/// Whether every change this build knows has been applied.
///
/// # Errors
/// As [`migration_status`].
pub async fn is_current(database: &Database) -> Result<bool, DatabaseError> {
    Ok(migration_status(database).await?.iter().all(|(_, is_applied)| *is_applied))
}

/// What sea-orm says of an applied change whose file it does not have.
fn newer(error: DbErr) -> DatabaseError {
    match error {
        DbErr::Custom(text) if text.contains("is missing") => DatabaseError::NewerSchema(text),
        other => other.into(),
    }
}

async fn begin(database: &Database) -> Result<DatabaseTransaction, DbErr> {
    let options =
        TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..TransactionOptions::default() };
    let connection = database.schema_connection();
    let transaction = connection.begin_with_options(options).await?;
    if connection.get_database_backend() == DbBackend::Postgres {
        let lock = statement(DbBackend::Postgres, "SELECT pg_advisory_xact_lock(?)", vec![Value::from(LOCK_NUMBER)]);
        transaction.execute_raw(lock).await?;
    }
    Ok(transaction)
}

async fn end(transaction: DatabaseTransaction, result: Result<(), DbErr>) -> Result<(), DatabaseError> {
    match result {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            transaction.rollback().await?;
            Err(newer(error))
        }
    }
}

/// What [`migrate_up`] would say to the database that the URL names, as SQL to be read or run by hand. A database that is
/// not there yet is planned from its beginning. Changes nothing. Empty where nothing is missing.
///
/// # Errors
/// As [`Database::connect`] and [`migration_status`].
pub async fn migration_plan(config: &DatabaseConfig) -> Result<String, DatabaseError> {
    let address = address::parse(&config.url)?;
    let backend = match address {
        Address::MySql(_) => DbBackend::MySql,
        Address::Postgres(_) => DbBackend::Postgres,
        _ => DbBackend::Sqlite,
    };
    // A file that is missing would be made.
    let is_missing_file = matches!(&address, Address::File(path) if !path.exists());
    let found = if is_missing_file { None } else { Some(Database::connect(config.clone()).await) };
    let (pending, existing) = match found {
        None | Some(Err(DatabaseError::NoSuchDatabase(_))) => {
            (Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect(), Existing::default())
        }
        Some(database) => {
            let database = database?;
            let status = migration_status(&database).await?;
            let existing = existing(&database).await?;
            database.close().await?;
            (status.into_iter().filter(|(_, is_applied)| !is_applied).map(|(name, _)| name).collect::<Vec<_>>(), existing)
        }
    };
    let mut text = String::new();
    for change in crewd_migrations::plan(backend, &existing, &pending).await? {
        let _ = writeln!(text, "-- {}", change.name.as_deref().unwrap_or("the list of changes"));
        for statement in change.statements {
            let _ = writeln!(text, "{statement};");
        }
    }
    Ok(text)
}

pub(super) async fn existing(database: &Database) -> Result<Existing, DbErr> {
    let connection = database.read_connection();
    let backend = connection.get_database_backend();
    let (columns, indexes) = match backend {
        DbBackend::MySql => (
            "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR) FROM information_schema.columns \
             WHERE table_schema = DATABASE()",
            "SELECT DISTINCT CAST(table_name AS CHAR), CAST(index_name AS CHAR) FROM information_schema.statistics \
             WHERE table_schema = DATABASE()",
        ),
        DbBackend::Postgres => (
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema()",
            "SELECT tablename::text, indexname::text FROM pg_indexes WHERE schemaname = current_schema()",
        ),
        _ => (
            "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'",
            "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index'",
        ),
    };
    let names = async |sql: &str| -> Result<BTreeSet<(String, String)>, DbErr> {
        let rows = connection.query_all_raw(Statement::from_string(backend, sql)).await?;
        rows.iter().map(|row| Ok((row.try_get_by(0)?, row.try_get_by(1)?))).collect()
    };
    let mut columns = names(columns).await?;
    let tables: Vec<String> = columns.iter().map(|(table, _)| table.clone()).collect();
    columns.extend(tables.into_iter().map(|table| (String::new(), table)));
    Ok(Existing { columns, indexes: names(indexes).await? })
}
