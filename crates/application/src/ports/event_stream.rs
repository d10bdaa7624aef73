//! Live hints about new events. The database stays the truth: a reader that missed a hint reads there.

use std::sync::Arc;

use async_trait::async_trait;
use crewd_domain::runs::Event;
use crewd_domain::shared::TaskId;

use super::store::StoreError;

/// What a subscriber hears.
#[derive(Clone, Debug)]
pub enum StreamHint {
    /// A committed event of the task.
    Event(Arc<Event>),
    /// There may be events the subscriber has not seen: it fell behind, or another process wrote them.
    ReadAgain,
}

/// One reader's end of a task's hints. Dropping it ends the subscription.
#[async_trait]
pub trait StreamSubscription: Send {
    /// The next hint. Waits for ever if there is none.
    async fn next(&mut self) -> StreamHint;
}

/// Spreads committed events to the readers of this process.
pub trait EventStream: Send + Sync {
    /// Tells all subscribers of the events' tasks. Call it after the commit, in the order of the numbers. Never blocks.
    fn publish(&self, events: &[Arc<Event>]);

    /// Hears of all events of a task that are published from now on. A slow subscriber loses hints, never memory:
    /// it hears [`StreamHint::ReadAgain`] instead.
    fn subscribe(&self, task_id: TaskId) -> Box<dyn StreamSubscription>;
}

/// Tells how long the logs of watched tasks are, so that events of other processes are noticed.
#[async_trait]
pub trait EventTail: Send + Sync {
    /// The largest number in the log of each of these tasks, in any order; a task without events may be missing.
    /// It answers numbers alone and so takes no tenant: whoever subscribed to a task was allowed to see it.
    ///
    /// # Errors
    /// Those of the store.
    async fn last_seqs(&self, tasks: &[TaskId]) -> Result<Vec<(TaskId, u64)>, StoreError>;
}
