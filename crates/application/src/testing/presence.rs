//! Workers whose life and death a test decides, and what every presence must keep to.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crewd_domain::shared::WorkerId;

use super::ids::SequenceIds;
use crate::ports::WorkerPresence;

/// Holds alive whoever announced itself, until the test kills it.
#[derive(Debug, Default)]
pub struct FakePresence {
    dead: Mutex<BTreeSet<WorkerId>>,
    announced: Mutex<Vec<WorkerId>>,
}

impl FakePresence {
    /// Lets a worker be found dead from now on, also one that never announced itself.
    pub fn kill(&self, worker: WorkerId) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).insert(worker);
    }

    /// Who announced itself, in that order.
    #[must_use]
    pub fn announced(&self) -> Vec<WorkerId> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl WorkerPresence for FakePresence {
    fn announce(&self, worker: WorkerId) -> std::io::Result<()> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
        Ok(())
    }

    fn dead(&self) -> Vec<WorkerId> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    fn forget(&self, workers: &[WorkerId]) {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).retain(|worker| !workers.contains(worker));
    }
}

/// Checks the promises of [`WorkerPresence`] between two processes: `one` and `other` see the same workers, and
/// `kill_one` ends the process of `one` the hard way.
///
/// # Panics
/// Where one is broken.
pub fn check_worker_presence<P: WorkerPresence>(one: P, other: &dyn WorkerPresence, kill_one: impl FnOnce(P)) {
    let [first, second, stranger] = [1, 2, 3].map(|place| WorkerId::new(SequenceIds::id(place)));
    assert!(one.dead().is_empty(), "nobody is known yet");
    assert!(one.announce(first).is_ok());
    assert!(other.announce(second).is_ok());
    assert!(one.dead().is_empty() && other.dead().is_empty(), "both live");
    other.forget(&[first, second, stranger]);
    kill_one(one);
    assert_eq!(other.dead(), [first], "who lives is not forgotten");
    other.forget(&[second, stranger]);
    assert_eq!(other.dead(), [first], "until it is forgotten");
    other.forget(&[first]);
    other.forget(&[first]);
    assert!(other.dead().is_empty());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Shared(Arc<FakePresence>);

    impl WorkerPresence for Shared {
        fn announce(&self, worker: WorkerId) -> std::io::Result<()> {
            self.0.announce(worker)
        }

        fn dead(&self) -> Vec<WorkerId> {
            self.0.dead()
        }

        fn forget(&self, workers: &[WorkerId]) {
            self.0.forget(workers);
        }
    }

    #[test]
    fn the_fake_keeps_the_promises_of_the_port() {
        let presence = Arc::new(FakePresence::default());
        check_worker_presence(Shared(Arc::clone(&presence)), presence.as_ref(), |one| {
            let announced = one.0.announced();
            one.0.kill(announced[0]);
        });
        assert_eq!(presence.announced().len(), 2);
    }
}
