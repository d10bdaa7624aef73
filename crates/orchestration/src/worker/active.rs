//! The runs this worker holds.

use std::collections::HashSet;
use std::sync::Arc;

use crewd_domain::shared::RunId;
use dashmap::DashMap;
use tokio::task::AbortHandle;

use crate::run::RunControl;

struct ActiveRun {
    control: Arc<RunControl>,
    abort: Option<AbortHandle>,
}

/// Runs by id, with the strings that hold them.
#[derive(Default)]
pub(super) struct ActiveRuns {
    runs: DashMap<RunId, ActiveRun>,
}

impl ActiveRuns {
    pub(super) fn add(&self, id: RunId, control: Arc<RunControl>) {
        self.runs.insert(id, ActiveRun { control, abort: None });
    }

    pub(super) fn set_abort(&self, id: RunId, abort: AbortHandle) {
        if let Some(mut run) = self.runs.get_mut(&id) {
            run.abort = Some(abort);
        }
    }

    pub(super) fn remove(&self, id: RunId) {
        self.runs.remove(&id);
    }

    pub(super) fn control(&self, id: RunId) -> Option<Arc<RunControl>> {
        self.runs.get(&id).map(|run| run.control.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.runs.len()
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
}
