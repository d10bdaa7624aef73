//! The queue side of the fake.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::runs::{Priority, Run, RunStatus};
use crewd_domain::shared::{RunId, TenantId, WorkerId};

use super::state::State;
use super::store::InMemoryStore;
use crate::ports::{
    ClaimedRun, ControlItem, DueRun, Fairness, LeaseRenewal, LostRun, QueuePlace, RunQueue, StoreError, TenantLoad,
};

#[async_trait]
impl RunQueue for InMemoryStore {
    async fn claim(&self, worker: WorkerId, limit: u32, lease: Duration) -> Result<Vec<ClaimedRun>, StoreError> {
        let now = self.clock().now();
        let mut state = self.state();
        let mut claimed = Vec::new();
        while claimed.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
            let Some(id) = first_in_turn(&state, &mut self.turns(), self.fairness()) else { break };
            claimed.extend(take(&mut state, id, worker, now, lease));
        }
        Ok(claimed)
    }

    async fn due(&self, limit: u32) -> Result<Vec<DueRun>, StoreError> {
        let now = self.clock().now();
        let state = self.state();
        let mut due: Vec<&Run> = state.runs.values().map(Arc::as_ref).filter(|run| is_due(&state, run, now)).collect();
        due.sort_by_key(|run| (run.wake_at, run.id));
        let whole = |run: &Run| {
            let task = state.tasks.get(&run.task_id)?.as_ref().clone();
            Some(DueRun {
                pending: state.pending_of(run.id).cloned().collect(),
                controls: state.orders_of(run.id).cloned().collect(),
                last_seq: state.last_seq(run.task_id),
                run: run.clone(),
                task,
                now,
            })
        };
        Ok(due.into_iter().filter_map(whole).take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())
    }

    async fn position(&self, tenant: &TenantId, run_id: RunId, limit: u32) -> Result<Option<u64>, StoreError> {
        let state = self.state();
        let run = state.run_of(tenant, run_id).filter(|run| run.status == RunStatus::Queued);
        Ok(run.map(|run| before(&state, run).min(limit.into())))
    }

    async fn line(&self, tenant: &TenantId, limit: u32) -> Result<Option<Vec<QueuePlace>>, StoreError> {
        let state = self.state();
        let mut own: Vec<&Run> = queued(&state).filter(|run| run.tenant_id == *tenant).collect();
        own.sort_by_key(|run| (rank(&state, run), run.created_at, run.id));
        let place = |run: &&Run| QueuePlace {
            run: run.id,
            priority: Priority::from_rank(rank(&state, run)),
            before: before(&state, run),
        };
        let line: Vec<QueuePlace> = own.iter().map(place).collect();
        Ok(line.iter().all(|place| place.before < limit.into()).then_some(line))
    }

    async fn load(&self, tenant: &TenantId, limit: u32) -> Result<TenantLoad, StoreError> {
        let state = self.state();
        let count = |wanted: fn(RunStatus) -> bool| {
            let mine = state.runs.values().filter(|run| run.tenant_id == *tenant && wanted(run.status)).count();
            u64::try_from(mine).unwrap_or(u64::MAX).min(limit.into())
        };
        let is_queued = |status| matches!(status, RunStatus::Queued | RunStatus::Scheduled);
        Ok(TenantLoad { queued: count(is_queued), active: count(RunStatus::is_active) })
    }

    async fn age(&self) -> Result<u64, StoreError> {
        let aging = TimeDelta::from_std(self.fairness().aging).unwrap_or(TimeDelta::MAX);
        let oldest = self.clock().now() - aging;
        let mut state = self.state();
        let old: Vec<RunId> =
            queued(&state).filter(|run| run.created_at <= oldest && rank(&state, run) > 0).map(|run| run.id).collect();
        for id in &old {
            let moved = state.moved_up.entry(*id).or_default();
            *moved = moved.saturating_add(1);
        }
        Ok(u64::try_from(old.len()).unwrap_or(u64::MAX))
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

#[async_trait]
impl LeaseRenewal for InMemoryStore {
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
}

fn queued(state: &State) -> impl Iterator<Item = &Run> {
    state.runs.values().map(Arc::as_ref).filter(|run| run.status == RunStatus::Queued)
}

/// The class of a run: that of its task, less the classes it has moved up.
fn rank(state: &State, run: &Run) -> i16 {
    let own = state.tasks.get(&run.task_id).map_or(i16::MAX, |task| task.priority.rank());
    own.saturating_sub(state.moved_up.get(&run.id).copied().unwrap_or_default())
}

/// How many runs would be taken before a queued one at the most.
fn before(state: &State, run: &Run) -> u64 {
    let class = rank(state, run);
    let better = queued(state).filter(|other| rank(state, other) < class).count();
    let same = || queued(state).filter(|other| rank(state, other) == class);
    let is_older = |other: &&Run| (other.created_at, other.id) < (run.created_at, run.id);
    let older = same().filter(|other| other.tenant_id == run.tenant_id).filter(is_older).count();
    // Each other tenant has a turn before each of ours.
    let mut others: BTreeMap<&TenantId, usize> = BTreeMap::new();
    for other in same().filter(|other| other.tenant_id != run.tenant_id) {
        let turns = others.entry(&other.tenant_id).or_default();
        *turns = turns.saturating_add(1).min(older.saturating_add(1));
    }
    let before = others.into_values().fold(better.saturating_add(older), usize::saturating_add);
    u64::try_from(before).unwrap_or(u64::MAX)
}

fn is_due(state: &State, run: &Run, now: DateTime<Utc>) -> bool {
    let waits = matches!(run.status, RunStatus::Scheduled | RunStatus::Queued | RunStatus::Waiting);
    let has_order = run.status == RunStatus::Waiting && state.has_order(run.id);
    waits && (has_order || run.wake_at.is_some_and(|at| at <= now))
}

/// The run that is to be taken next: by class, then by the tenant whose turn is longest ago, then by age.
fn first_in_turn(state: &State, turns: &mut BTreeMap<TenantId, u64>, fairness: Fairness) -> Option<RunId> {
    let active = || state.runs.values().filter(|run| run.status.is_active());
    let has_room = |run: &Run| {
        let own = active().filter(|other| other.tenant_id == run.tenant_id);
        u32::try_from(own.count()).unwrap_or(u32::MAX) < fairness.max_active_per_tenant
    };
    let key_is_free = |run: &Run| {
        let is_held = |other: &&Arc<Run>| other.tenant_id == run.tenant_id && other.concurrency_key == run.concurrency_key;
        run.concurrency_key.is_none() || active().find(is_held).is_none()
    };
    let free = queued(state).filter(|run| has_room(run) && key_is_free(run));
    let turn = |run: &Run| turns.get(&run.tenant_id).copied().unwrap_or_default();
    let first = free.min_by_key(|run| (rank(state, run), turn(run), run.created_at, run.id))?;
    let last = turns.values().max().copied().unwrap_or_default();
    turns.insert(first.tenant_id.clone(), last.saturating_add(1));
    Some(first.id)
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
    let controls = state.orders_of(id).cloned().collect();
    let approvals = state.approvals_of(id).cloned().collect();
    Some(ClaimedRun { last_seq: state.last_seq(run.task_id), task, run, definition, steps, approvals, controls })
}
