//! Live hints about new events. The database stays the truth: a reader that missed a hint reads there.

use std::sync::Arc;

use async_trait::async_trait;
use crewd_domain::runs::Event;
use crewd_domain::shared::TaskId;

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
