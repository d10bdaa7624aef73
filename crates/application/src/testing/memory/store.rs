//! The fake itself.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use crewd_domain::runs::{Step, StepPath};
use crewd_domain::shared::TenantId;

use super::commit::apply;
use super::state::State;
use crate::ports::{Clock, Fairness, Store, StoreError, UnitOfWork};

/// Keeps everything in memory, behind one lock. Leases go by the given clock.
///
/// It passes the same contract suite as every database adapter.
pub struct InMemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    fairness: Mutex<Fairness>,
    /// When each tenant had its last turn.
    turns: Mutex<BTreeMap<TenantId, u64>>,
    failures: Mutex<VecDeque<StoreError>>,
    read_failures: Mutex<VecDeque<StoreError>>,
}

impl InMemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
            fairness: Mutex::default(),
            turns: Mutex::default(),
            failures: Mutex::default(),
            read_failures: Mutex::default(),
        }
    }

    /// Sets the rules of the queue.
    pub fn set_fairness(&self, fairness: Fairness) {
        *self.fairness.lock().unwrap_or_else(PoisonError::into_inner) = fairness;
    }

    pub(super) fn fairness(&self) -> Fairness {
        *self.fairness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn turns(&self) -> MutexGuard<'_, BTreeMap<TenantId, u64>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the next commit that has no earlier failure waiting end in this error, with nothing stored.
    pub fn fail_next_commit(&self, error: StoreError) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).push_back(error);
    }

    /// Lets the next reading of a log that has no earlier failure waiting end in this error.
    pub fn fail_next_read(&self, error: StoreError) {
        self.read_failures.lock().unwrap_or_else(PoisonError::into_inner).push_back(error);
    }

    pub(super) fn read_failure(&self) -> Option<StoreError> {
        self.read_failures.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Changes the steps at a path behind the back of everybody, as a fault or another version of the program would.
    pub fn change_step(&self, path: &StepPath, change: impl Fn(&mut Step)) {
        for journal in self.state().steps.values_mut() {
            if let Some(step) = Arc::make_mut(journal).get_mut(path) {
                change(step);
            }
        }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for InMemoryStore {
    async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        if let Some(error) = self.failures.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            return Err(error);
        }
        let mut state = self.state();
        let mut changed = state.clone();
        apply(&mut changed, unit)?;
        *state = changed;
        Ok(())
    }
}
