//! Databases in temporary folders.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crewd_application::testing::store::Harness;
use tempfile::TempDir;

use crate::persistence::{Database, DatabaseConfig, Engine, migrate_up};

pub(super) fn url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("data/crewd.db").display())
}

pub(super) async fn open(folder: &Path) -> Database {
    Database::connect(DatabaseConfig::new(url(folder))).await.unwrap()
}

/// A migrated database in a new folder. Keep the folder as long as the database.
pub(super) async fn fresh() -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path()).await;
    migrate_up(&database).await.unwrap();
    (folder, database)
}

/// A migrated database in memory: its one connection is everybody's, so that a test can set its limits.
pub(super) async fn in_memory() -> Database {
    let database = Database::connect(DatabaseConfig::new("sqlite::memory:")).await.unwrap();
    migrate_up(&database).await.unwrap();
    database
}

pub(super) fn harness(database: &Database) -> Harness {
    Harness {
        store: Arc::new(database.store()),
        queries: Arc::new(database.queries()),
        queue: Arc::new(database.queue()),
        leases: Arc::new(database.leases()),
        approvals: Arc::new(database.queries()),
        tail: Arc::new(database.queries()),
        clock_step: clock_step(database),
    }
}

/// OceanBase's prepared statements take the time from a clock that is set anew every ten milliseconds.
pub(super) fn clock_step(database: &Database) -> Duration {
    if database.describe().engine == Engine::OceanBase { Duration::from_millis(15) } else { Duration::ZERO }
}
