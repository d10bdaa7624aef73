//! Places in the queue, read for many askers at once: clients that poll must not make the database count at each question.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crewd_domain::runs::Priority;
use crewd_domain::shared::{RunId, TenantId};
use tokio::sync::Mutex as Turn;
use tokio::time::Instant;

use crate::ports::{RunQueue, StoreError, TaskView};

/// Places in the queue are counted up to this one.
pub const LONGEST_POSITION: u32 = 10_000;
/// How old an answer may be.
const KEPT: Duration = Duration::from_millis(250);
/// For a run that is not in it a line is read again, but not sooner than after this many times as long as reading took: the
/// run was submitted meanwhile and stands at the end.
const REST: u32 = 8;
/// Runs of a line that is read whole; places in longer ones are counted one by one.
const LONGEST_LINE: u32 = 1_000;
/// Tenants that are remembered at most.
const MOST: usize = 4_096;

/// What was read a moment ago.
#[derive(Default)]
pub(super) struct Places {
    lines: Mutex<HashMap<TenantId, Arc<Turn<Line>>>>,
}

/// The queued runs of a tenant as they were a moment ago.
#[derive(Default)]
struct Line {
    /// When it was read, and how long that took; nothing before the first time.
    read: Option<(Instant, Duration)>,
    /// Whether it is too long, so that it holds only what was counted since.
    is_long: bool,
    /// How many come before a run; nothing for one that is not queued any more.
    before: HashMap<RunId, Option<u64>>,
    /// How many come before the next run of a class.
    ends: HashMap<Priority, u64>,
}

impl Places {
    /// How many runs come before a queued one; nothing if it has left the queue.
    pub(super) async fn before(
        &self,
        queue: &dyn RunQueue,
        tenant: &TenantId,
        view: &TaskView,
    ) -> Result<Option<u64>, StoreError> {
        let (run, priority, turn) = (view.run.id, view.task.priority, self.line(tenant));
        // Whoever comes meanwhile waits for this answer and finds its own in it.
        let mut line = turn.lock().await;
        let is_recent = line.tells_of(run, priority);
        if !is_recent {
            line.read_again(queue, tenant).await?;
        }
        if let Some(before) = line.before.get(&run) {
            return Ok(*before);
        }
        if !line.is_long {
            return Ok(if is_recent { line.append(run, priority) } else { None });
        }
        drop(line);
        let before = queue.position(tenant, run, LONGEST_POSITION - 1).await?;
        turn.lock().await.before.insert(run, before);
        Ok(before)
    }

    fn line(&self, tenant: &TenantId) -> Arc<Turn<Line>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= MOST {
            lines.clear();
        }
        lines.entry(tenant.clone()).or_default().clone()
    }
}

impl Line {
    async fn read_again(&mut self, queue: &dyn RunQueue, tenant: &TenantId) -> Result<(), StoreError> {
        let begin = Instant::now();
        let places = queue.line(tenant, LONGEST_LINE).await?;
        let end = Instant::now();
        let is_long = places.is_none();
        let places = places.unwrap_or_default();
        let ends = places.iter().map(|place| (place.priority, place.before.saturating_add(1))).collect();
        let before = places.into_iter().map(|place| (place.run, Some(place.before))).collect();
        *self = Self { read: Some((end, end - begin)), is_long, before, ends };
        Ok(())
    }

    /// Whether the place of a run can be told without reading the line again.
    fn tells_of(&self, run: RunId, priority: Priority) -> bool {
        let Some((at, took)) = self.read else { return false };
        let has_place = self.is_long || self.before.contains_key(&run);
        let is_behind_all = at.elapsed() < took * REST && self.ends.contains_key(&priority);
        at.elapsed() < KEPT && (has_place || is_behind_all)
    }

    fn append(&mut self, run: RunId, priority: Priority) -> Option<u64> {
        let end = self.ends.get_mut(&priority)?;
        let before = Some(*end);
        *end = end.saturating_add(1);
        self.before.insert(run, before);
        before
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use uuid::Uuid;

    use super::*;

    const TOOK: Duration = Duration::from_millis(2);

    fn run(number: u128) -> RunId {
        RunId::new(Uuid::from_u128(number))
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_was_long_to_read_is_not_read_again_at_once() {
        let before = HashMap::from([(run(1), Some(4)), (run(2), Some(6))]);
        let ends = HashMap::from([(Priority::Standard, 7)]);
        let mut line = Line { read: Some((Instant::now(), TOOK)), is_long: false, before, ends };
        assert!(line.tells_of(run(1), Priority::Standard));
        assert!(line.tells_of(run(3), Priority::Standard), "a newer one");
        assert!(!line.tells_of(run(4), Priority::Batch), "nothing is known of its class");
        assert_eq!(line.append(run(3), Priority::Standard), Some(7));
        assert_eq!(line.append(run(5), Priority::Standard), Some(8));
        advance(TOOK * REST).await;
        assert!(line.tells_of(run(3), Priority::Standard), "it has its place");
        assert!(!line.tells_of(run(6), Priority::Standard), "many may have come before it");
        advance(KEPT - TOOK * REST).await;
        assert!(!line.tells_of(run(1), Priority::Standard), "too old for anybody");
    }
}
