//! Which workers are alive, as far as this machine can tell at once.

use crewd_domain::shared::WorkerId;

/// Finds dead workers without waiting for their leases to expire.
pub trait WorkerPresence: Send + Sync {
    /// Declares this process alive as a worker until it ends, however it ends.
    ///
    /// # Errors
    /// Where the mark cannot be made; the worker must not start then.
    fn announce(&self, worker: WorkerId) -> std::io::Result<()>;

    /// Workers that are certainly dead. They are named again and again, to every process, until somebody forgets them:
    /// who looks after their runs may die as well. A worker this machine knows nothing of is not among them.
    fn dead(&self) -> Vec<WorkerId>;

    /// Lets dead workers be named no more, because nothing of theirs is left. Those that live are not touched.
    fn forget(&self, workers: &[WorkerId]);
}
