//! What this process has to tell the others, and what room it has.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crewd_domain::shared::{RunId, TaskId};
use crewd_telemetry::{HintWay, Metrics};
use tokio::sync::{Notify, watch};

/// Tasks and orders that wait to be told at most; what goes beyond is found in the database.
const MOST_WAITING: usize = 10_000;
/// Wake-up calls that wait to be told at most.
const MOST_WORK: usize = 1_000;

/// Several hints on their way together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HintBatch {
    /// How many runs were queued.
    pub work: usize,
    /// Tasks whose logs have grown, each with its largest number.
    pub events: Vec<(TaskId, u64)>,
    /// Runs that an order may wait for.
    pub orders: Vec<RunId>,
}

impl HintBatch {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many hints these are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.work + self.events.len() + self.orders.len()
    }
}

/// Where hints are left for the other processes. Telling never blocks, and hints about the same thing become one.
///
/// Clones are the same place.
#[derive(Clone)]
pub struct Hints {
    inner: Arc<Inner>,
}

struct Inner {
    waiting: Mutex<Waiting>,
    filled: Notify,
    room: watch::Sender<usize>,
    way: HintWay,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Waiting {
    work: usize,
    events: HashMap<TaskId, u64>,
    orders: BTreeSet<RunId>,
}

impl Hints {
    /// A place with nothing in it. What becomes of its hints is counted under their way.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>, way: HintWay) -> Self {
        let (room, _) = watch::channel(0);
        Self { inner: Arc::new(Inner { waiting: Mutex::default(), filled: Notify::new(), room, way, metrics }) }
    }

    /// A run was queued.
    pub fn tell_work(&self, runs: usize) {
        let mut waiting = self.waiting();
        let fits = runs.min(MOST_WORK.saturating_sub(waiting.work));
        waiting.work += fits;
        drop(waiting);
        self.told(runs - fits);
    }

    /// The log of a task has grown.
    pub fn tell_events(&self, task: TaskId, seq: u64) {
        let mut waiting = self.waiting();
        let is_full = waiting.events.len() >= MOST_WAITING;
        let dropped = match waiting.events.get_mut(&task) {
            Some(newest) => {
                *newest = seq.max(*newest);
                false
            }
            None if is_full => true,
            None => waiting.events.insert(task, seq).is_some(),
        };
        drop(waiting);
        self.told(usize::from(dropped));
    }

    /// An order was written for a run.
    pub fn tell_order(&self, run: RunId) {
        let mut waiting = self.waiting();
        let fits = waiting.orders.len() < MOST_WAITING;
        if fits {
            waiting.orders.insert(run);
        }
        drop(waiting);
        self.told(usize::from(!fits));
    }

    /// How many more runs this process could take now.
    pub fn set_room(&self, runs: usize) {
        self.inner.room.send_replace(runs);
    }

    /// Takes the room for a run of this process, if there is any: then nobody else needs to be told.
    pub(super) fn take_room(&self) -> bool {
        self.take_rooms(1) == 1
    }

    /// Takes the room for up to so many runs; how many there was room for.
    pub(super) fn take_rooms(&self, runs: usize) -> usize {
        let mut taken = 0;
        self.inner.room.send_if_modified(|room| {
            taken = runs.min(*room);
            *room -= taken;
            false
        });
        taken
    }

    /// Waits until there is room; how much.
    pub(super) async fn room(&self) -> usize {
        let mut room = self.inner.room.subscribe();
        // The sender lives as long as this.
        room.wait_for(|room| *room > 0).await.map_or(0, |room| *room)
    }

    /// Takes what there is to tell; waits if there is nothing.
    pub(super) async fn next(&self) -> HintBatch {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            self.inner.filled.notified().await;
        }
    }

    pub(super) fn count(&self, outcome: &str, hints: usize) {
        if hints > 0 {
            self.inner.metrics.count_hints(self.inner.way, outcome, u64::try_from(hints).unwrap_or(u64::MAX));
        }
    }

    fn take(&self) -> HintBatch {
        let waiting = std::mem::take(&mut *self.waiting());
        HintBatch {
            work: waiting.work,
            events: waiting.events.into_iter().collect(),
            orders: waiting.orders.into_iter().collect(),
        }
    }

    fn told(&self, dropped: usize) {
        self.count("dropped", dropped);
        self.inner.filled.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
