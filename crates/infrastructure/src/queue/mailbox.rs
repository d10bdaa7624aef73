//! What waits for one subscriber.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crewd_application::ports::StreamHint;
use crewd_domain::runs::Event;
use tokio::sync::Notify;

/// How many events wait for a slow subscriber before it is sent to the database instead: some ten seconds of a
/// streamed answer. The room is taken only while events wait.
pub(super) const CAPACITY: usize = 256;

/// Hints for one subscriber, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Comes before the events: what was dropped is older than they are.
    read_again: bool,
    events: VecDeque<Arc<Event>>,
}

impl Mailbox {
    /// Adds an event; if there is no room, drops all and asks to read again.
    pub(super) fn put(&self, event: &Arc<Event>) {
        let mut waiting = self.waiting();
        if waiting.events.len() < CAPACITY {
            waiting.events.push_back(Arc::clone(event));
            drop(waiting);
            self.filled.notify_one();
        } else {
            drop(waiting);
            self.read_again();
        }
    }

    /// Asks to read again. The database has everything that waited here, so it is dropped.
    pub(super) fn read_again(&self) {
        let mut waiting = self.waiting();
        waiting.read_again = true;
        waiting.events = VecDeque::new();
        drop(waiting);
        self.filled.notify_one();
    }

    /// Takes the next hint; waits if there is none. For one subscriber alone. Dropping the future loses nothing.
    pub(super) async fn next(&self) -> StreamHint {
        loop {
            if let Some(hint) = self.take() {
                return hint;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<StreamHint> {
        let mut waiting = self.waiting();
        if std::mem::take(&mut waiting.read_again) {
            return Some(StreamHint::ReadAgain);
        }
        waiting.events.pop_front().map(StreamHint::Event)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
