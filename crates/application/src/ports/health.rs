//! Parts that can be asked whether they work.

use async_trait::async_trait;

/// What a part answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// It works.
    Up,
    /// It does not, and everything goes on without it, only slower; the text is safe to show.
    Degraded(String),
    /// It does not; the text is safe to show.
    Down(String),
}

/// One line of readiness.
#[async_trait]
pub trait HealthCheck: Send + Sync {
    /// A short stable name, such as `database`.
    fn name(&self) -> &'static str;

    /// Asks the part. Answers within two seconds.
    async fn check(&self) -> HealthStatus;
}
