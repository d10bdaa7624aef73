//! The order of a move.

use std::collections::BTreeMap;

use sea_orm::DbErr;
use sea_orm_migration::SchemaManager;
use thiserror::Error;

use super::catalog::{Catalog, TableShape, differences};
use super::progress;
use super::rows::{Cell, Checksum};
use super::side::Side;
use crate::persistence::address::{self, Address};
use crate::persistence::config::DatabaseConfig;
use crate::persistence::database::{Database, create_database};
use crate::persistence::error::DatabaseError;
use crate::persistence::schema::{is_current, migrate_up, migration_status};

/// Why an installation is not moved. Nothing of the source is ever changed.
#[derive(Debug, Error)]
pub enum TransferError {
    /// Both addresses mean the same database.
    #[error("both addresses mean the same database")]
    SameDatabase,
    /// There is nothing at the address.
    #[error("the source is no installation: {0}")]
    NoInstallation(String),
    /// The source's schema is older than this build.
    #[error("the source's schema is not current: run `crewd migrate up` on it first")]
    NotCurrent,
    /// Processes are at work on it.
    #[error("the source is in use: {0} leases are held; stop every crewd on it, and wait for the leases of one that was killed")]
    InUse(i64),
    /// The target has rows of somebody else.
    #[error("the target is not empty: the table {0} has rows; name an empty or a new database")]
    NotEmpty(String),
    /// The target is half-way through a move of another source.
    #[error("the target is half-way through a move from {0}: finish that, or name another database")]
    OtherSource(String),
    /// The source is itself the target of a move that has not ended.
    #[error("the source is half-way through a move into it: finish that first")]
    Unfinished,
    /// The schemas differ, which they cannot if both are current and nobody has added to them.
    #[error("the schemas differ in {}: tables and columns that are not crewd's must go first", .0.join(", "))]
    SchemasDiffer(Vec<String>),
    /// What was read afterwards is not the same on both sides.
    #[error(
        "the table {table} differs: {source_rows} rows with checksum {source_sum} in the source, {target_rows} with {target_sum} \
         in the target; somebody has written meanwhile: stop every crewd and run the same command again"
    )]
    Differs {
        /// Which table.
        table: String,
        /// Rows of the source.
        source_rows: u64,
        /// Checksum of the source.
        source_sum: String,
        /// Rows of the target.
        target_rows: u64,
        /// Checksum of the target.
        target_sum: String,
    },
    /// The source fails; the reason is the error's source.
    #[error("the source cannot be read")]
    Source(#[source] DatabaseError),
    /// The target fails; the reason is the error's source.
    #[error("the target cannot be written")]
    Target(#[source] DatabaseError),
}

impl TransferError {
    /// A name for programs; it never changes.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SameDatabase => "same_database",
            Self::NoInstallation(_) => "no_installation",
            Self::NotCurrent => "schema_not_current",
            Self::InUse(_) => "source_in_use",
            Self::NotEmpty(_) => "target_not_empty",
            Self::OtherSource(_) => "target_of_another_move",
            Self::Unfinished => "source_unfinished",
            Self::SchemasDiffer(_) => "schemas_differ",
            Self::Differs { .. } => "verification_failed",
            Self::Source(_) => "source_failed",
            Self::Target(_) => "target_failed",
        }
    }
}

/// A table that has been moved and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub name: String,
    /// How many rows it has on both sides.
    pub rows: u64,
    /// The sum of its rows' SHA-256, the same on both sides: 64 hexadecimal digits.
    pub checksum: String,
}

/// Copies all rows of one installation into an empty database and compares both sides. The target is made where the
/// server does not have it. After a failure or a kill the same call goes on where it stopped. `tell` hears of every
/// batch: table, rows so far, all rows.
///
/// # Errors
/// See [`TransferError`]. The source stays as it is.
pub async fn move_database(
    from: DatabaseConfig,
    to: DatabaseConfig,
    mut tell: impl FnMut(&str, u64, u64) + Send,
) -> Result<Vec<MovedTable>, TransferError> {
    let (source_address, target_address) = (parsed(&from, TransferError::Source)?, parsed(&to, TransferError::Target)?);
    if source_address == target_address {
        return Err(TransferError::SameDatabase);
    }
    let origin = masked(&source_address);
    let source = open_source(&from, &source_address).await?;
    let result = async {
        create_database(&to).await.map_err(TransferError::Target)?;
        let target = Database::connect(to).await.map_err(TransferError::Target)?;
        let result = between(&source, &target, &origin, &mut tell).await;
        target.close().await.map_err(TransferError::Target)?;
        result
    }
    .await;
    source.close().await.map_err(TransferError::Source)?;
    result
}

fn parsed(config: &DatabaseConfig, whose: fn(DatabaseError) -> TransferError) -> Result<Address, TransferError> {
    match address::parse(&config.url).map_err(whose)? {
        Address::Memory => Err(whose(DatabaseError::Url("a database in memory ends with this command".to_owned()))),
        Address::File(path) => Ok(Address::File(std::path::absolute(&path).unwrap_or(path))),
        address => Ok(address),
    }
}

/// An address without what must not be shown.
fn masked(address: &Address) -> String {
    match address {
        Address::Memory => "memory".to_owned(),
        Address::File(path) => path.display().to_string(),
        Address::MySql(url) | Address::Postgres(url) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
        }
    }
}

/// Whether a move into this database has begun and not ended. Nobody may work on it then: half of it is missing.
///
/// # Errors
/// Where the database does not answer.
pub async fn is_half_moved(database: &Database) -> Result<bool, DatabaseError> {
    Ok(SchemaManager::new(database.read_connection()).has_table(progress::TABLE).await?)
}

async fn open_source(config: &DatabaseConfig, address: &Address) -> Result<Database, TransferError> {
    // A file that is missing would be made.
    if let Address::File(path) = address
        && !path.is_file()
    {
        return Err(TransferError::NoInstallation(format!("there is no file {}", path.display())));
    }
    let source = Database::connect(config.clone()).await.map_err(TransferError::Source)?;
    let status = migration_status(&source).await.map_err(TransferError::Source)?;
    match () {
        () if status.iter().all(|(_, is_applied)| !is_applied) => {
            Err(TransferError::NoInstallation("it has no tables of crewd".to_owned()))
        }
        () if !is_current(&source).await.map_err(TransferError::Source)? => Err(TransferError::NotCurrent),
        () if is_half_moved(&source).await.map_err(TransferError::Source)? => Err(TransferError::Unfinished),
        () => Ok(source),
    }
}

async fn between(
    source: &Database,
    target: &Database,
    origin: &str,
    tell: &mut (impl FnMut(&str, u64, u64) + Send),
) -> Result<Vec<MovedTable>, TransferError> {
    let from = Side::of(source).await.map_err(of_source)?;
    let result = async {
        is_for_crewd(&from, target).await?;
        migrate_up(target).await.map_err(TransferError::Target)?;
        let to = Side::of(target).await.map_err(of_target)?;
        let result = Move { from: &from, to: &to }.all(origin, tell).await;
        to.close().await;
        result
    }
    .await;
    from.close().await;
    result
}

/// Nothing is made in a database that others use.
async fn is_for_crewd(from: &Side, target: &Database) -> Result<(), TransferError> {
    let ours = from.catalog().await.map_err(of_source)?;
    let to = Side::of(target).await.map_err(of_target)?;
    let theirs = to.catalog().await;
    // Changes of the schema need its connection.
    to.close().await;
    let strange: Vec<String> = theirs.map_err(of_target)?.into_keys().filter(|table| !ours.contains_key(table)).collect();
    if strange.is_empty() { Ok(()) } else { Err(TransferError::SchemasDiffer(strange)) }
}

fn of_source(error: DbErr) -> TransferError {
    TransferError::Source(error.into())
}

fn of_target(error: DbErr) -> TransferError {
    TransferError::Target(error.into())
}

struct Move<'a> {
    from: &'a Side,
    to: &'a Side,
}

impl Move<'_> {
    async fn all(&self, origin: &str, tell: &mut (impl FnMut(&str, u64, u64) + Send)) -> Result<Vec<MovedTable>, TransferError> {
        let (shapes, theirs) = (self.from.catalog().await.map_err(of_source)?, self.to.catalog().await.map_err(of_target)?);
        let differences = differences(&shapes, &theirs);
        if !differences.is_empty() {
            return Err(TransferError::SchemasDiffer(differences));
        }
        self.from.keep_writers_out().await.map_err(of_source)?;
        let held = self.from.live_leases().await.map_err(of_source)?;
        if held > 0 {
            return Err(TransferError::InUse(held));
        }
        self.begin(origin, &theirs).await?;
        let counts = self.counts(&shapes).await?;
        for (name, shape) in &shapes {
            let flags = theirs.get(name).unwrap_or(shape);
            self.copy(name, shape, flags, counts.get(name).copied().unwrap_or_default(), tell).await?;
        }
        let mut moved = Vec::new();
        for (name, shape) in &shapes {
            moved.push(self.compare(name, shape, theirs.get(name).unwrap_or(shape), tell).await?);
        }
        self.to.execute(&format!("DROP TABLE {}", progress::TABLE)).await.map_err(of_target)?;
        for name in shapes.keys() {
            self.to.gather_statistics(name).await;
        }
        Ok(moved)
    }

    /// Makes sure that the target is empty, or this move's own.
    async fn begin(&self, origin: &str, tables: &Catalog) -> Result<(), TransferError> {
        if let Ok(Some(noted)) = self.to.noted(progress::SOURCE).await {
            return if noted == origin { Ok(()) } else { Err(TransferError::OtherSource(noted)) };
        }
        for name in tables.keys() {
            if !self.to.is_empty(name).await.map_err(of_target)? {
                return Err(TransferError::NotEmpty(name.clone()));
            }
        }
        self.to.execute(progress::CREATE).await.map_err(of_target)?;
        self.to.note(progress::SOURCE, origin).await.map_err(of_target)
    }

    async fn counts(&self, shapes: &Catalog) -> Result<BTreeMap<String, u64>, TransferError> {
        let mut counts = BTreeMap::new();
        for name in shapes.keys() {
            counts.insert(name.clone(), self.from.count(name).await.map_err(of_source)?);
        }
        Ok(counts)
    }

    /// Copies the rows behind those that are there.
    async fn copy(
        &self,
        name: &str,
        shape: &TableShape,
        target_shape: &TableShape,
        all: u64,
        tell: &mut (impl FnMut(&str, u64, u64) + Send),
    ) -> Result<(), TransferError> {
        let noted = self.to.noted(name).await.map_err(of_target)?;
        let mut after: Vec<Cell> = noted.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let mut done = if after.is_empty() { 0 } else { self.to.count(name).await.map_err(of_target)? };
        loop {
            let batch = self.from.batch(name, shape, &after).await.map_err(of_source)?;
            if batch.rows.is_empty() {
                return Ok(());
            }
            self.to.write(name, target_shape, &batch).await.map_err(of_target)?;
            done += batch.rows.len() as u64;
            tell(name, done, all.max(done));
            after = batch.last_key;
        }
    }

    /// Reads both sides whole. A table that was begun by an earlier call and differs is copied once more: the source may
    /// have been in use between the two.
    async fn compare(
        &self,
        name: &str,
        shape: &TableShape,
        target_shape: &TableShape,
        tell: &mut (impl FnMut(&str, u64, u64) + Send),
    ) -> Result<MovedTable, TransferError> {
        let (mut theirs, mut ours) = self.sums(name, shape, target_shape).await?;
        if theirs != ours {
            self.to.clear(name).await.map_err(of_target)?;
            self.to.note(name, "[]").await.map_err(of_target)?;
            self.copy(name, shape, target_shape, theirs.rows, tell).await?;
            (theirs, ours) = self.sums(name, shape, target_shape).await?;
        }
        if theirs != ours {
            return Err(TransferError::Differs {
                table: name.to_owned(),
                source_rows: theirs.rows,
                source_sum: theirs.hex(),
                target_rows: ours.rows,
                target_sum: ours.hex(),
            });
        }
        Ok(MovedTable { name: name.to_owned(), rows: ours.rows, checksum: ours.hex() })
    }

    async fn sums(
        &self,
        name: &str,
        shape: &TableShape,
        target_shape: &TableShape,
    ) -> Result<(Checksum, Checksum), TransferError> {
        let theirs = self.from.checksum(name, shape).await.map_err(of_source)?;
        Ok((theirs, self.to.checksum(name, target_shape).await.map_err(of_target)?))
    }
}
