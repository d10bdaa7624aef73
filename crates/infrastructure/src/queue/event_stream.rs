//! Live events inside a process.

use std::sync::Arc;

use async_trait::async_trait;
use crewd_application::ports::{EventStream, StreamHint, StreamSubscription};
use crewd_domain::runs::Event;
use crewd_domain::shared::TaskId;
use dashmap::DashMap;

use super::mailbox::Mailbox;

/// Spreads events to subscribers of this process. A task without subscribers costs nothing; an idle subscriber costs
/// a few hundred bytes.
///
/// Clones are the same stream.
#[derive(Clone, Debug, Default)]
pub struct LocalEventStream {
    tasks: Arc<DashMap<TaskId, Watched>>,
}

/// A task with at least one subscriber.
#[derive(Debug, Default)]
struct Watched {
    /// The largest number its subscribers were told of, or were told to read up to; 0 before any.
    newest: u64,
    subscribers: Vec<Arc<Mailbox>>,
}

impl LocalEventStream {
    /// The tasks that have subscribers, each with the largest number they were told of (0 before any).
    #[must_use]
    pub fn subscribed_tasks(&self) -> Vec<(TaskId, u64)> {
        self.tasks.iter().map(|entry| (*entry.key(), entry.newest)).collect()
    }

    /// Tells the subscribers of a task that the database has events up to `seq`. Does nothing if they know.
    pub fn hint_read_again(&self, task_id: TaskId, seq: u64) {
        if let Some(mut watched) = self.tasks.get_mut(&task_id)
            && seq > watched.newest
        {
            watched.newest = seq;
            watched.subscribers.iter().for_each(|subscriber| subscriber.read_again());
        }
    }
}

impl Watched {
    fn publish(&mut self, event: &Arc<Event>) {
        if event.seq <= self.newest {
            // They were told to read up to here, after it was committed.
            return;
        }
        let follows = event.seq == self.newest + 1;
        self.newest = event.seq;
        for subscriber in &self.subscribers {
            if follows {
                subscriber.put(event);
            } else {
                // What lies between was written by another process, or before anybody listened here.
                subscriber.read_again();
            }
        }
    }
}

impl EventStream for LocalEventStream {
    fn publish(&self, events: &[Arc<Event>]) {
        for of_one_task in events.chunk_by(|one, next| one.task_id == next.task_id) {
            let watched = of_one_task.first().and_then(|event| self.tasks.get_mut(&event.task_id));
            if let Some(mut watched) = watched {
                of_one_task.iter().for_each(|event| watched.publish(event));
            }
        }
    }

    fn subscribe(&self, task_id: TaskId) -> Box<dyn StreamSubscription> {
        let mailbox = Arc::new(Mailbox::default());
        self.tasks.entry(task_id).or_default().subscribers.push(Arc::clone(&mailbox));
        Box::new(LocalSubscription { tasks: Arc::clone(&self.tasks), task_id, mailbox })
    }
}

struct LocalSubscription {
    tasks: Arc<DashMap<TaskId, Watched>>,
    task_id: TaskId,
    mailbox: Arc<Mailbox>,
}

#[async_trait]
impl StreamSubscription for LocalSubscription {
    async fn next(&mut self) -> StreamHint {
        self.mailbox.next().await
    }
}

impl Drop for LocalSubscription {
    fn drop(&mut self) {
        self.tasks.remove_if_mut(&self.task_id, |_, watched| {
            watched.subscribers.retain(|subscriber| !Arc::ptr_eq(subscriber, &self.mailbox));
            watched.subscribers.is_empty()
        });
    }
}

#[cfg(test)]
#[path = "event_stream_tests.rs"]
mod tests;
