//! The ports of a process that has others beside it.

use std::sync::Arc;

use async_trait::async_trait;
use crewd_application::ports::{ControlItem, EventStream, RunOrders, StreamSubscription, WorkSignal};
use crewd_domain::runs::Event;
use crewd_domain::shared::{RunId, TaskId};

use super::Hints;
use crate::queue::{LocalEventStream, LocalSignal};

/// Wakes the worker of this process, or tells the others if it has no room.
pub struct SharedSignal {
    local: Arc<LocalSignal>,
    hints: Hints,
}

impl SharedSignal {
    /// Wakes `local` first.
    #[must_use]
    pub const fn new(local: Arc<LocalSignal>, hints: Hints) -> Self {
        Self { local, hints }
    }
}

#[async_trait]
impl WorkSignal for SharedSignal {
    fn notify(&self) {
        if !self.hints.take_room() {
            self.hints.tell_work(1);
        }
        self.local.notify();
    }

    async fn notified(&self) {
        self.local.notified().await;
    }

    fn set_room(&self, runs: usize) {
        self.hints.set_room(runs);
    }
}

/// Gives events to the readers of this process, and tells the others that there are some.
pub struct SharedEventStream {
    local: LocalEventStream,
    hints: Hints,
}

impl SharedEventStream {
    /// Gives to `local` first.
    #[must_use]
    pub const fn new(local: LocalEventStream, hints: Hints) -> Self {
        Self { local, hints }
    }
}

impl EventStream for SharedEventStream {
    fn publish(&self, events: &[Arc<Event>]) {
        self.local.publish(events);
        for of_one_task in events.chunk_by(|one, next| one.task_id == next.task_id) {
            if let Some(last) = of_one_task.last() {
                self.hints.tell_events(last.task_id, last.seq);
            }
        }
    }

    fn subscribe(&self, task_id: TaskId) -> Box<dyn StreamSubscription> {
        self.local.subscribe(task_id)
    }
}

/// Gives orders to the worker of this process, and tells the others that there are some.
pub struct SharedOrders {
    local: Arc<dyn RunOrders>,
    hints: Hints,
}

impl SharedOrders {
    /// Gives to `local` first.
    #[must_use]
    pub fn new(local: Arc<dyn RunOrders>, hints: Hints) -> Self {
        Self { local, hints }
    }
}

impl RunOrders for SharedOrders {
    fn give(&self, order: &ControlItem) {
        self.local.give(order);
        self.hints.tell_order(order.run_id);
    }

    fn look(&self, run_id: RunId) {
        self.local.look(run_id);
    }
}
