//! Which workers are alive, as far as this machine can tell at once.

use crewd_domain::shared::WorkerId;

/// Finds dead workers without waiting for their leases to expire.
pub trait WorkerPresence: Send + Sync {
    /// Declares this process alive as a worker until it ends, however it ends.
    ///
    /// # Errors
    /// Where the mark cannot be made; the worker must not start then.
    fn announce(&self, worker: WorkerId) -> std::io::Result<()>;

    /// Those of the workers that are certainly dead. A worker this machine knows nothing of is not among them.
    fn dead_among(&self, workers: &[WorkerId]) -> Vec<WorkerId>;
}
