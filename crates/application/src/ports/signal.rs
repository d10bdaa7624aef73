//! Wake-up calls between the parts of an installation. Hints only: losing one costs time, never work.

use async_trait::async_trait;

/// Wakes workers when there is something to do.
#[async_trait]
pub trait WorkSignal: Send + Sync {
    /// There may be a queued run, or a control input. Never blocks.
    fn notify(&self);

    /// Returns at the next notification; one that came since the last call counts. May return for no reason.
    async fn notified(&self);

    /// How many more runs the worker of this process could take now. Where several processes share the work, those
    /// with room are told of it.
    fn set_room(&self, _runs: usize) {}
}
