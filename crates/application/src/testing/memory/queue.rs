//! The queue side of the fake.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::runs::{Run, RunStatus};
use crewd_domain::shared::{RunId, WorkerId};

use super::state::State;
use super::store::InMemoryStore;
use crate::ports::{ClaimedRun, ControlItem, LostRun, RunQueue, StoreError};

#[async_trait]
impl RunQueue for InMemoryStore {
    async fn claim(&self, worker: WorkerId, limit: u32, lease: Duration) -> Result<Vec<ClaimedRun>, StoreError> {
        let now = self.clock().now();
        let mut state = self.state();
        let mut queued: Vec<_> = state
            .runs
            .values()
            .filter(|run| run.status == RunStatus::Queued)
            .filter_map(|run| state.tasks.get(&run.task_id).map(|task| (task.priority.rank(), run.created_at, run.id)))
            .collect();
        queued.sort_unstable();
        queued.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(queued.into_iter().filter_map(|(_, _, id)| take(&mut state, id, worker, now, lease)).collect())
    }

    async fn renew(&self, worker: WorkerId, lease: Duration) -> Result<Vec<RunId>, StoreError> {
        let until = end(self.clock().now(), lease);
        let mut state = self.state();
        let mut held = Vec::new();
        for run in state.runs.values_mut().filter(|run| holder(run) == Some(worker)) {
            if let Some(lease) = Arc::make_mut(run).lease.as_mut() {
                lease.until = until;
            }
            held.push(run.id);
        }
        Ok(held)
    }

    async fn lost(&self, dead: &[WorkerId]) -> Result<Vec<LostRun>, StoreError> {
        let now = self.clock().now();
        let state = self.state();
        let is_lost = |run: &Run| {
            run.status.is_active() && run.lease.is_none_or(|lease| lease.until <= now || dead.contains(&lease.worker))
        };
        let lost = state.runs.values().filter(|run| is_lost(run));
        Ok(lost.map(|run| LostRun { run: run.as_ref().clone(), last_seq: state.last_seq(run.task_id) }).collect())
    }

    async fn controls(&self, worker: WorkerId) -> Result<Vec<ControlItem>, StoreError> {
        let state = self.state();
        let held = |id: RunId| state.runs.get(&id).and_then(|run| holder(run)) == Some(worker);
        let waiting = state.controls.values().filter(|control| control.applied_seq.is_none() && held(control.item.run_id));
        Ok(waiting.map(|control| control.item.clone()).collect())
    }

    async fn holders(&self) -> Result<Vec<WorkerId>, StoreError> {
        let holders: BTreeSet<WorkerId> = self.state().runs.values().filter_map(|run| holder(run)).collect();
        Ok(holders.into_iter().collect())
    }

    async fn depth(&self) -> Result<u64, StoreError> {
        let queued = self.state().runs.values().filter(|run| run.status == RunStatus::Queued).count();
        Ok(u64::try_from(queued).unwrap_or(u64::MAX))
    }
}

fn holder(run: &Run) -> Option<WorkerId> {
    run.lease.filter(|_| run.status.is_active()).map(|lease| lease.worker)
}

fn end(now: DateTime<Utc>, lease: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(lease).ok().and_then(|lease| now.checked_add_signed(lease)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn take(state: &mut State, id: RunId, worker: WorkerId, now: DateTime<Utc>, lease: Duration) -> Option<ClaimedRun> {
    let run = Arc::make_mut(state.runs.get_mut(&id)?);
    run.claim(worker, end(now, lease), now).ok()?;
    let run = run.clone();
    let task = state.tasks.get(&run.task_id)?.as_ref().clone();
    let definition = state
        .crews
        .iter()
        .find(|crew| crew.tenant_id == task.tenant_id && crew.name == task.crew && crew.version == task.definition_version)
        .map(|crew| crew.definition.clone());
    let steps = state.journal(id);
    let waiting = state.controls.values().filter(|control| control.applied_seq.is_none() && control.item.run_id == id);
    let controls = waiting.map(|control| control.item.clone()).collect();
    Some(ClaimedRun { last_seq: state.last_seq(run.task_id), task, run, definition, steps, controls })
}
