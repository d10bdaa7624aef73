//! The line `database` of readiness.

use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{HealthCheck, HealthStatus};

use super::database::Database;
use super::error::DatabaseError;
use super::schema::migration_status;

/// Asking takes no longer than this.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// Reads the list of applied migrations: so it answers, and the schema is the one this build needs. And the writer must
/// be there.
#[derive(Clone)]
pub struct DatabaseHealth {
    database: Database,
}

impl DatabaseHealth {
    pub(super) const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl HealthCheck for DatabaseHealth {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn check(&self) -> HealthStatus {
        if !self.database.has_writer() {
            return HealthStatus::Down("the database is closed".to_owned());
        }
        match tokio::time::timeout(PATIENCE, migration_status(&self.database)).await {
            Ok(Ok(migrations)) => match migrations.iter().filter(|(_, is_applied)| !is_applied).count() {
                0 => HealthStatus::Up,
                missing => HealthStatus::Down(format!("{missing} migrations are missing; run `crewd migrate up`")),
            },
            // Changes only add: in a rolling upgrade the processes of the version before go on until they are replaced.
            Ok(Err(DatabaseError::NewerSchema(_))) => {
                HealthStatus::Degraded("a newer crewd has changed the schema: restart with that version".to_owned())
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database is not ready");
                HealthStatus::Down("the database does not answer".to_owned())
            }
            Err(_) => HealthStatus::Down("the database does not answer in time".to_owned()),
        }
    }
}
