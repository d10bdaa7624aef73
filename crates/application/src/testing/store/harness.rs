//! The database under test.

use std::sync::Arc;
use std::time::Duration;

use crewd_domain::runs::Run;
use crewd_domain::shared::{TaskId, TenantId};

use crate::ports::{
    ApprovalQueries, Change, EventTail, LeaseRenewal, RunQueries, RunQueue, RunUpdate, Store, StoreError, TaskView, UnitOfWork,
};

/// One database, seen through its ports.
#[derive(Clone)]
pub struct Harness {
    /// Writes.
    pub store: Arc<dyn Store>,
    /// Reads.
    pub queries: Arc<dyn RunQueries>,
    /// Hands out.
    pub queue: Arc<dyn RunQueue>,
    /// Prolongs leases.
    pub leases: Arc<dyn LeaseRenewal>,
    /// Reads questions to people.
    pub approvals: Arc<dyn ApprovalQueries>,
    /// Tells how long logs are.
    pub tail: Arc<dyn EventTail>,
    /// How far two statements may disagree about the present: nothing on most databases.
    pub clock_step: Duration,
}

impl Harness {
    /// Commits changes without a guard.
    pub(super) async fn commit(&self, tenant: &TenantId, changes: impl IntoIterator<Item = Change>) -> Result<(), StoreError> {
        let mut unit = UnitOfWork::new(tenant.clone());
        for change in changes {
            unit.push(change);
        }
        self.store.commit(unit).await
    }

    /// A task that must be there.
    pub(super) async fn view(&self, tenant: &TenantId, id: TaskId) -> TaskView {
        let view = must(self.queries.task(tenant, id).await);
        must(view.ok_or(StoreError::Corrupt(format!("task {id} is not there"))))
    }
}

/// Waits until what was written as the present is the past.
pub(in crate::testing) async fn settle(clock_step: Duration) {
    if !clock_step.is_zero() {
        tokio::time::sleep(clock_step).await;
    }
}

/// A transition from the version that the run had before it.
pub(super) fn update(run: &Run, expected_version: u64) -> Change {
    Change::UpdateRun(Box::new(RunUpdate { run: run.clone(), expected_version }))
}

/// What a check cannot go on without.
#[expect(clippy::panic, reason = "a broken promise must fail the test that runs the suite")]
pub(in crate::testing) fn must<T>(result: Result<T, StoreError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the store refused: {error:?}"),
    }
}
