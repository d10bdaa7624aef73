//! The runs this worker holds.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crewd_domain::shared::RunId;
use dashmap::DashMap;
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio::task::AbortHandle;

use crate::run::RunControl;

struct ActiveRun {
    control: Arc<RunControl>,
    abort: Option<AbortHandle>,
}

/// Why nobody here works on a run whose lease this worker still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Orphaned {
    /// The database did not answer for too long.
    Unwritten,
    /// A defect: it may happen again.
    Defect,
}

/// Runs by id, with the strings that hold them.
#[derive(Default)]
pub(super) struct ActiveRuns {
    runs: DashMap<RunId, ActiveRun>,
    /// Runs that were left without an end. Their leases are renewed with all others, so nobody else would find them.
    orphans: Mutex<HashMap<RunId, Orphaned>>,
    /// What the last renewal that found orphans held.
    held: Mutex<HashSet<RunId>>,
    slot_freed: Notify,
}

impl ActiveRuns {
    /// Notes a run, until the returned hold is dropped.
    pub(super) fn add(self: &Arc<Self>, id: RunId, control: Arc<RunControl>, slot: OwnedSemaphorePermit) -> Hold {
        self.orphans().remove(&id);
        let replaced = self.runs.insert(id, ActiveRun { control: control.clone(), abort: None });
        // The same run under an older lease: what it still does is void.
        if let Some(abort) = replaced.and_then(|run| run.abort) {
            abort.abort();
        }
        Hold { runs: self.clone(), id, control, slot: Some(slot), orphaned: Some(Orphaned::Defect) }
    }

    pub(super) fn set_abort(&self, id: RunId, abort: AbortHandle) {
        if let Some(mut run) = self.runs.get_mut(&id) {
            run.abort = Some(abort);
        }
    }

    pub(super) fn control(&self, id: RunId) -> Option<Arc<RunControl>> {
        self.runs.get(&id).map(|run| run.control.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Returns once a slot has become free since the last call.
    pub(super) async fn slot_freed(&self) {
        self.slot_freed.notified().await;
    }

    /// Ids at this moment, to be compared with a renewal that starts later.
    pub(super) fn ids(&self) -> Vec<RunId> {
        self.runs.iter().map(|run| *run.key()).collect()
    }

    /// Drops the work on runs whose lease is lost: nothing more of it may happen.
    pub(super) fn abort_all_but(&self, before: &[RunId], held: &HashSet<RunId>) -> usize {
        let mut aborted = 0;
        for id in before.iter().filter(|id| !held.contains(id)) {
            if let Some((_, run)) = self.runs.remove(id) {
                if let Some(abort) = run.abort {
                    abort.abort();
                }
                aborted += 1;
            }
        }
        aborted
    }

    /// Takes the runs that were left without an end, those of lost leases excepted.
    pub(super) fn take_orphans(&self, held: &HashSet<RunId>) -> HashMap<RunId, Orphaned> {
        let mut orphans = std::mem::take(&mut *self.orphans());
        orphans.retain(|id, _| held.contains(id));
        orphans
    }

    /// Puts back what could not be given away.
    pub(super) fn put_back(&self, id: RunId, orphaned: Orphaned) {
        self.orphans().insert(id, orphaned);
    }

    /// Leaves the result of a renewal to whoever gives orphans away.
    pub(super) fn set_held(&self, held: HashSet<RunId>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }

    /// Takes the result of the last renewal that found orphans.
    pub(super) fn take_held(&self) -> HashSet<RunId> {
        std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn has_orphans(&self) -> bool {
        !self.orphans().is_empty()
    }

    fn orphans(&self) -> MutexGuard<'_, HashMap<RunId, Orphaned>> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place among the active runs and a slot. However the work ends, also by a panic, both become free.
pub(super) struct Hold {
    runs: Arc<ActiveRuns>,
    id: RunId,
    control: Arc<RunControl>,
    slot: Option<OwnedSemaphorePermit>,
    orphaned: Option<Orphaned>,
}

impl Hold {
    /// How the work ended: with an end that is written (`None`), or without.
    pub(super) fn settle(&mut self, orphaned: Option<Orphaned>) {
        self.orphaned = orphaned;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mine = self.runs.runs.remove_if(&self.id, |_, run| Arc::ptr_eq(&run.control, &self.control));
        // Without an entry the lease is lost, and the run is somebody else's matter.
        if let (Some(_), Some(orphaned)) = (mine, self.orphaned) {
            self.runs.put_back(self.id, orphaned);
        }
        drop(self.slot.take());
        self.runs.slot_freed.notify_one();
    }
}
