//! Following the log of a task: what is in the database first, then live, without gap or repeat.

use std::collections::VecDeque;
use std::sync::Arc;

use crewd_domain::runs::{Event, EventKind};
use crewd_domain::shared::{TaskId, TenantId};

use crate::error::Result;
use crate::ports::{EventQuery, RunQueries, StreamHint, StreamSubscription, TaskView};

/// Events read from the database at a time.
const PAGE: u32 = 500;

/// What a stream starts with: the state at the moment of subscribing.
#[derive(Clone, Debug)]
pub struct FeedStart {
    /// The task.
    pub view: TaskView,
    /// The largest number in its log.
    pub last_seq: u64,
}

/// A reader's place in a log.
pub struct EventFeed {
    subscription: Box<dyn StreamSubscription>,
    queries: Arc<dyn RunQueries>,
    tenant: TenantId,
    task_id: TaskId,
    /// Only these kinds are handed out; empty means all. Numbers are followed through all kinds.
    kinds: Vec<EventKind>,
    /// The last number that was seen.
    seen: u64,
    buffer: VecDeque<Arc<Event>>,
    /// Whether the database may hold more than was seen.
    behind: bool,
    /// Whether the last event seen ends a run.
    at_end: bool,
    ended: bool,
}

impl EventFeed {
    /// A feed of a subscription that was opened **before** `start` was read, so that nothing falls between.
    #[must_use]
    pub fn new(
        subscription: Box<dyn StreamSubscription>,
        queries: Arc<dyn RunQueries>,
        start: &FeedStart,
        after: u64,
        kinds: Vec<EventKind>,
    ) -> Self {
        let at_end = start.view.run.status.is_terminal() && after >= start.last_seq;
        Self {
            subscription,
            queries,
            tenant: start.view.task.tenant_id.clone(),
            task_id: start.view.task.id,
            kinds,
            seen: after,
            buffer: VecDeque::new(),
            behind: true,
            at_end,
            ended: false,
        }
    }

    /// The next event; `None` once the task has ended and its log is read to the end. Cancel-safe: dropping the
    /// future loses no event.
    ///
    /// # Errors
    /// Where the database does not answer; the feed may be asked again.
    pub async fn next(&mut self) -> Result<Option<Arc<Event>>> {
        loop {
            if let Some(event) = self.buffer.pop_front() {
                self.seen = event.seq;
                self.at_end = event.kind.is_terminal();
                // Another run of the same task may go on behind a terminal event.
                self.behind |= self.at_end && self.buffer.is_empty();
                if self.kinds.is_empty() || self.kinds.contains(&event.kind) {
                    return Ok(Some(event));
                }
            } else if self.ended {
                return Ok(None);
            } else if self.behind {
                self.read().await?;
            } else {
                let hint = self.subscription.next().await;
                self.hear(hint);
            }
        }
    }

    async fn read(&mut self) -> Result<()> {
        let query = EventQuery { task_id: self.task_id, after: self.seen, kinds: Vec::new(), limit: PAGE };
        let page = self.queries.events(&self.tenant, &query).await?;
        if page.is_empty() && self.at_end {
            self.ended = true;
        }
        self.behind = page.len() >= PAGE as usize;
        self.buffer.extend(page.into_iter().map(Arc::new));
        Ok(())
    }

    fn hear(&mut self, hint: StreamHint) {
        match hint {
            StreamHint::Event(event) if event.seq == self.seen.saturating_add(1) => self.buffer.push_back(event),
            StreamHint::Event(event) => self.behind |= event.seq > self.seen,
            StreamHint::ReadAgain => self.behind = true,
        }
    }
}
