//! What readiness asks besides the database itself.

use std::sync::Arc;

use async_trait::async_trait;
use crewd_application::ports::{HealthCheck, HealthStatus, RunQueue};
use crewd_infrastructure::persistence::{Database, DatabaseError, is_current};
use tokio_util::sync::CancellationToken;

/// The schema is the one this build was made for.
pub(crate) struct Migrations(pub(crate) Database);

#[async_trait]
impl HealthCheck for Migrations {
    fn name(&self) -> &'static str {
        "migrations"
    }

    async fn check(&self) -> HealthStatus {
        match is_current(&self.0).await {
            Ok(true) => HealthStatus::Up,
            Ok(false) => HealthStatus::Down("the schema is not current: run `crewd migrate up`".to_owned()),
            // Changes only add. In a rolling upgrade the processes of the version before must go on until they are replaced.
            Err(DatabaseError::NewerSchema(_)) => {
                HealthStatus::Degraded("a newer version has changed the schema: restart with that version".to_owned())
            }
            Err(_) => HealthStatus::Down("the applied migrations cannot be read".to_owned()),
        }
    }
}

/// The queue can be read.
pub(crate) struct Queue(pub(crate) Arc<dyn RunQueue>);

#[async_trait]
impl HealthCheck for Queue {
    fn name(&self) -> &'static str {
        "queue"
    }

    async fn check(&self) -> HealthStatus {
        match self.0.depth().await {
            Ok(_) => HealthStatus::Up,
            Err(_) => HealthStatus::Down("the queue cannot be read".to_owned()),
        }
    }
}

/// The process is not stopping: a load balancer takes it out before its port closes.
pub(crate) struct NotStopping(pub(crate) CancellationToken);

#[async_trait]
impl HealthCheck for NotStopping {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn check(&self) -> HealthStatus {
        if self.0.is_cancelled() { HealthStatus::Down("the process is stopping".to_owned()) } else { HealthStatus::Up }
    }
}
