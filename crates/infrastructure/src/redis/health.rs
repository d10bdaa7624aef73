//! One line of readiness: without Redis everything goes on.

use async_trait::async_trait;
use crewd_application::ports::{HealthCheck, HealthStatus};

use super::RedisLink;
use super::link::LinkState;

#[async_trait]
impl HealthCheck for RedisLink {
    fn name(&self) -> &'static str {
        "redis"
    }

    async fn check(&self) -> HealthStatus {
        match self.state() {
            LinkState::Up(_) => HealthStatus::Up,
            LinkState::Connecting => HealthStatus::Degraded("it is being connected".to_owned()),
            LinkState::Away(away) => HealthStatus::Degraded(away.to_string()),
        }
    }
}
