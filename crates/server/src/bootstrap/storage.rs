//! The database and the folder of files.

use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::{Duties, HealthCheck, LeaseRenewal, RunQueries, RunQueue, Store, WorkerPresence};
use crewd_infrastructure::persistence::{Database, DatabaseError, is_current, is_half_moved, migrate_up};
use crewd_infrastructure::queue::FilePresence;
use crewd_settings::Settings;

/// The inner parts of everything that is kept.
pub(crate) struct Storage {
    pub(crate) database: Database,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queries: Arc<dyn RunQueries>,
    pub(crate) queue: Arc<dyn RunQueue>,
    pub(crate) leases: Arc<dyn LeaseRenewal>,
    pub(crate) duties: Arc<dyn Duties>,
    pub(crate) health: Arc<dyn HealthCheck>,
    pub(crate) presence: Arc<dyn WorkerPresence>,
}

/// Opens the database; in development its schema is brought up to date, in production it must be.
pub(crate) async fn storage(settings: &Settings) -> anyhow::Result<Storage> {
    std::fs::create_dir_all(&settings.server.data_dir)
        .with_context(|| format!("the data folder {} cannot be made (APP_DATA_DIR)", settings.server.data_dir.display()))?;
    let database = super::open_database(settings).await?;
    if database.describe().read_only {
        return Err(DatabaseError::ReadOnly(database.describe().engine.to_string()))
            .context("crewd must write: use the primary server");
    }
    if is_half_moved(&database).await? {
        return Err(DatabaseError::HalfMoved.into());
    }
    if settings.server.environment.is_deployed() {
        if !is_current(&database).await? {
            return Err(DatabaseError::OldSchema.into());
        }
    } else {
        migrate_up(&database).await.context("the database's schema cannot be brought up to date")?;
    }
    Ok(Storage {
        store: Arc::new(database.store()),
        queries: Arc::new(database.queries()),
        queue: Arc::new(database.queue().with_fairness(super::fairness(settings))),
        leases: Arc::new(database.leases()),
        duties: Arc::new(database.duties()),
        health: Arc::new(database.health()),
        presence: Arc::new(FilePresence::new(&settings.server.data_dir.join("workers"))),
        database,
    })
}
