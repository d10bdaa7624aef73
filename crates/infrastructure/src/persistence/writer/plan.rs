//! Decides, in memory and in order, which units of a group may be written.

use std::collections::{BTreeSet, HashMap, HashSet};

use crewd_application::ports::{Change, DEDUP_KEY, IdempotencyRecord, LeaseGuard, RunUpdate, StoreError, StoredCrew, UnitOfWork};
use crewd_domain::runs::{Event, Priority, Run, Step, Task};
use crewd_domain::shared::{RunId, TaskId, TenantId};

use super::extras::Extras;
use super::hooks::Hooks;
use super::write::{ControlWrite, RunWrite};
use crate::persistence::rows::{IDEMPOTENCY_KEYS, RunState};

/// Runs that a group speaks of and does not insert itself.
pub(super) fn wanted_runs(units: &[UnitOfWork]) -> BTreeSet<RunId> {
    let mut wanted = BTreeSet::new();
    let mut inserted = HashSet::new();
    for unit in units {
        wanted.extend(unit.guards.iter().map(|guard| guard.run_id));
        for change in &unit.changes {
            match change {
                Change::InsertRun(run) => drop(inserted.insert(run.id)),
                Change::UpdateRun(update) => drop(wanted.insert(update.run.id)),
                Change::SaveStep(step) => drop(wanted.insert(step.run_id)),
                Change::AppendEvent(event) => drop(wanted.insert(event.run_id)),
                Change::InsertControl(item) => drop(wanted.insert(item.run_id)),
                Change::ApplyControls { run_id, .. } => drop(wanted.insert(*run_id)),
                Change::SetCurrentRun { run_id, .. } => drop(wanted.insert(*run_id)),
                Change::InsertApproval(approval) => drop(wanted.insert(approval.run_id)),
                Change::WithdrawApprovals { run_id, .. } => drop(wanted.insert(*run_id)),
                Change::InsertTask(_) | Change::SaveCrew(_) | Change::InsertIdempotencyKey(_) => {}
                Change::UpdateApproval(_) | Change::InsertDedupKey(_) => {}
                Change::InsertWebhook(_) | Change::InsertScheduleFire(_) | Change::UpdateSchedule(_) => {}
            }
        }
    }
    wanted.retain(|id| !inserted.contains(id));
    wanted
}

/// Tasks that get a run and are not inserted by the group itself.
pub(super) fn wanted_tasks(units: &[UnitOfWork]) -> BTreeSet<TaskId> {
    let changes = || units.iter().flat_map(|unit| &unit.changes);
    let mut wanted: BTreeSet<TaskId> = changes()
        .filter_map(|change| match change {
            Change::InsertRun(run) => Some(run.task_id),
            _ => None,
        })
        .collect();
    for change in changes() {
        if let Change::InsertTask(task) = change {
            wanted.remove(&task.id);
        }
    }
    wanted
}

/// What of a group is to be written, by table.
#[derive(Default)]
pub(super) struct Plan<'work> {
    runs: HashMap<RunId, RunState>,
    priorities: HashMap<TaskId, (TenantId, Priority)>,
    taken_keys: HashSet<(&'work str, &'work str, &'work str)>,
    pub(super) crews: Vec<&'work StoredCrew>,
    pub(super) tasks: Vec<&'work Task>,
    pub(super) new_runs: Vec<(&'work Run, Priority)>,
    pub(super) run_writes: Vec<RunWrite<'work>>,
    pub(super) steps: Vec<(&'work Step, &'work TenantId)>,
    pub(super) events: Vec<(&'work Event, &'work TenantId, u64)>,
    pub(super) keys: Vec<&'work IdempotencyRecord>,
    pub(super) controls: Vec<ControlWrite<'work>>,
    pub(super) extras: Extras<'work>,
    pub(super) hooks: Hooks<'work>,
}

/// What a unit would change in what later units are judged by.
#[derive(Default)]
struct Effects<'work> {
    runs: HashMap<RunId, RunState>,
    priorities: HashMap<TaskId, (TenantId, Priority)>,
    keys: Vec<(&'work str, &'work str, &'work str)>,
    run_writes: Vec<RunWrite<'work>>,
    new_runs: Vec<(&'work Run, Priority)>,
}

impl<'work> Plan<'work> {
    pub(super) fn new(runs: HashMap<RunId, RunState>, priorities: HashMap<TaskId, (TenantId, Priority)>) -> Self {
        Self { runs, priorities, ..Self::default() }
    }

    /// Takes a unit in whole, or leaves it out whole and says why.
    pub(super) fn admit(&mut self, unit: &'work UnitOfWork) -> Result<(), StoreError> {
        let mut effects = Effects::default();
        for guard in &unit.guards {
            self.check_guard(unit, *guard)?;
        }
        for change in &unit.changes {
            self.check(unit, change, &mut effects)?;
        }
        self.runs.extend(effects.runs);
        self.priorities.extend(effects.priorities);
        self.taken_keys.extend(effects.keys);
        self.run_writes.extend(effects.run_writes);
        self.new_runs.extend(effects.new_runs);
        for change in &unit.changes {
            self.stage(unit, change);
        }
        Ok(())
    }

    fn run(&self, unit: &UnitOfWork, id: RunId, effects: &Effects<'_>) -> Result<RunState, StoreError> {
        let known = effects.runs.get(&id).or_else(|| self.runs.get(&id));
        known.filter(|run| run.tenant == unit.tenant).cloned().ok_or(StoreError::Conflict)
    }

    fn check_guard(&self, unit: &UnitOfWork, guard: LeaseGuard) -> Result<(), StoreError> {
        let run = self.runs.get(&guard.run_id).filter(|run| run.tenant == unit.tenant);
        let is_held = run.is_some_and(|run| run.status.is_active() && run.epoch == guard.epoch);
        if is_held { Ok(()) } else { Err(StoreError::Fenced) }
    }

    fn check(&self, unit: &'work UnitOfWork, change: &'work Change, effects: &mut Effects<'work>) -> Result<(), StoreError> {
        match change {
            Change::InsertTask(task) => {
                same_tenant(unit, &task.tenant_id)?;
                effects.priorities.insert(task.id, (task.tenant_id.clone(), task.priority));
                Ok(())
            }
            Change::InsertRun(run) => self.check_new_run(unit, run, effects),
            Change::UpdateRun(update) => self.check_update(unit, update, effects),
            Change::SaveStep(step) => self.run(unit, step.run_id, effects).map(drop),
            Change::AppendEvent(event) => self.run(unit, event.run_id, effects).map(drop),
            Change::SaveCrew(crew) => same_tenant(unit, &crew.tenant_id),
            Change::InsertIdempotencyKey(record) => {
                same_tenant(unit, &record.tenant_id)?;
                let key = (record.tenant_id.as_str(), record.route.as_str(), record.key.as_str());
                self.take_key(key, IDEMPOTENCY_KEYS.key_name, effects)
            }
            Change::InsertDedupKey(record) => {
                same_tenant(unit, &record.tenant_id)?;
                // No route is called so.
                self.take_key((record.tenant_id.as_str(), DEDUP_KEY, record.key.as_str()), DEDUP_KEY, effects)
            }
            Change::SetCurrentRun { run_id, .. } => self.run(unit, *run_id, effects).map(drop),
            Change::InsertApproval(approval) => {
                same_tenant(unit, &approval.tenant_id)?;
                self.run(unit, approval.run_id, effects).map(drop)
            }
            Change::UpdateApproval(update) => same_tenant(unit, &update.approval.tenant_id),
            Change::WithdrawApprovals { run_id, .. } => self.run(unit, *run_id, effects).map(drop),
            Change::InsertControl(item) => match self.run(unit, item.run_id, effects)?.status {
                // Nobody would ever heed it.
                status if status.is_terminal() => Err(StoreError::Conflict),
                _ => Ok(()),
            },
            Change::ApplyControls { run_id, .. } => self.run(unit, *run_id, effects).map(drop),
            Change::InsertWebhook(endpoint) => same_tenant(unit, &endpoint.tenant_id),
            Change::InsertScheduleFire(fire) => same_tenant(unit, &fire.tenant_id),
            Change::UpdateSchedule(schedule) => same_tenant(unit, &schedule.tenant_id),
        }
    }

    /// A key can be taken once in a group.
    fn take_key(
        &self,
        key: (&'work str, &'work str, &'work str),
        key_name: &str,
        effects: &mut Effects<'work>,
    ) -> Result<(), StoreError> {
        if self.taken_keys.contains(&key) || effects.keys.contains(&key) {
            return Err(StoreError::Duplicate(key_name.to_owned()));
        }
        effects.keys.push(key);
        Ok(())
    }

    fn check_new_run(&self, unit: &UnitOfWork, run: &'work Run, effects: &mut Effects<'work>) -> Result<(), StoreError> {
        same_tenant(unit, &run.tenant_id)?;
        let task = effects.priorities.get(&run.task_id).or_else(|| self.priorities.get(&run.task_id));
        let Some((_, priority)) = task.filter(|(tenant, _)| *tenant == unit.tenant) else { return Err(StoreError::Conflict) };
        effects.new_runs.push((run, *priority));
        effects.runs.insert(run.id, RunState::of(run));
        Ok(())
    }

    fn check_update(&self, unit: &UnitOfWork, update: &'work RunUpdate, effects: &mut Effects<'work>) -> Result<(), StoreError> {
        let stored = self.run(unit, update.run.id, effects)?;
        if stored.version != update.expected_version {
            return Err(StoreError::Conflict);
        }
        let mut after = RunState::of(&update.run);
        // The writer's copy of the lease is as old as its claim; heartbeats have moved the end since.
        if after.lease_until.is_some() && after.epoch == stored.epoch && stored.lease_until.is_some() {
            after.lease_until = stored.lease_until;
        }
        effects.run_writes.push(RunWrite {
            run: &update.run,
            lease_until: after.lease_until,
            version_before: stored.version,
            epoch_before: stored.epoch,
        });
        effects.runs.insert(update.run.id, after);
        Ok(())
    }

    fn stage(&mut self, unit: &'work UnitOfWork, change: &'work Change) {
        self.extras.stage(unit, change);
        self.hooks.stage(unit, change);
        match change {
            Change::InsertTask(task) => self.tasks.push(task),
            Change::SaveStep(step) => self.steps.push((step, &unit.tenant)),
            Change::AppendEvent(event) => {
                let guard = unit.guards.iter().find(|guard| guard.run_id == event.run_id);
                self.events.push((event, &unit.tenant, guard.map_or(0, |guard| guard.epoch)));
            }
            Change::SaveCrew(crew) => self.crews.push(crew),
            Change::InsertIdempotencyKey(record) => self.keys.push(record),
            Change::InsertControl(item) => self.controls.push(ControlWrite::Insert(item, &unit.tenant)),
            Change::ApplyControls { run_id, ids, applied_seq } => {
                self.controls.push(ControlWrite::Apply { run_id: *run_id, ids, applied_seq: *applied_seq });
            }
            // Staged with the check, which knows what was there before.
            Change::InsertRun(_) | Change::UpdateRun(_) => {}
            // Staged with the extras.
            Change::SetCurrentRun { .. } | Change::InsertDedupKey(_) | Change::InsertApproval(_) => {}
            Change::UpdateApproval(_) | Change::WithdrawApprovals { .. } => {}
            // Staged with the hooks.
            Change::InsertWebhook(_) | Change::InsertScheduleFire(_) | Change::UpdateSchedule(_) => {}
        }
    }
}

fn same_tenant(unit: &UnitOfWork, tenant: &TenantId) -> Result<(), StoreError> {
    if unit.tenant == *tenant { Ok(()) } else { Err(StoreError::Corrupt("a change of another tenant".to_owned())) }
}
