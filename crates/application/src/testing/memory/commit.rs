//! One unit after the other, on a copy of the state.

use std::sync::Arc;

use chrono::TimeDelta;
use crewd_domain::approvals::{Approval, ApprovalStatus};
use crewd_domain::shared::{RunId, TenantId};

use super::state::{State, StoredControl};
use crate::outbox::outbox_messages;
use crate::ports::{
    ApprovalUpdate, Change, DEDUP_KEY, IdempotencyRecord, LeaseGuard, RunUpdate, StoreError, StoredCrew, UnitOfWork,
};

/// Applies a unit. After an error the state is half changed: throw it away.
pub(super) fn apply(state: &mut State, unit: UnitOfWork) -> Result<(), StoreError> {
    let messages: Vec<_> = unit.events().flat_map(|event| outbox_messages(event, &unit.tenant)).collect();
    let tenant = unit.tenant;
    for guard in &unit.guards {
        check_guard(state, &tenant, guard)?;
    }
    for change in unit.changes {
        apply_change(state, &tenant, change)?;
    }
    // Last, for an endpoint of the same unit may want them.
    for message in messages {
        state.hooks.tell(message);
    }
    Ok(())
}

fn check_guard(state: &State, tenant: &TenantId, guard: &LeaseGuard) -> Result<(), StoreError> {
    let held = state.run_of(tenant, guard.run_id).is_some_and(|run| run.status.is_active() && run.epoch == guard.epoch);
    if held { Ok(()) } else { Err(StoreError::Fenced) }
}

fn apply_change(state: &mut State, tenant: &TenantId, change: Change) -> Result<(), StoreError> {
    match change {
        Change::InsertTask(task) => {
            check_tenant(tenant, &task.tenant_id)?;
            let id = task.id;
            vacant(state.tasks.insert(id, Arc::from(task)).is_some(), "task_id")
        }
        Change::InsertRun(run) => {
            check_tenant(tenant, &run.tenant_id)?;
            if state.task_of(tenant, run.task_id).is_none() {
                return Err(StoreError::Conflict);
            }
            let id = run.id;
            vacant(state.runs.insert(id, Arc::from(run)).is_some(), "run_id")
        }
        Change::UpdateRun(update) => update_run(state, tenant, *update),
        Change::SaveStep(step) => {
            known_run(state, tenant, step.run_id)?;
            Arc::make_mut(state.steps.entry(step.run_id).or_default()).insert(step.path.clone(), *step);
            Ok(())
        }
        Change::AppendEvent(event) => {
            known_run(state, tenant, event.run_id)?;
            let log = Arc::make_mut(state.events.entry(event.task_id).or_default());
            vacant(log.insert(event.seq, event).is_some(), "event_seq")
        }
        Change::SaveCrew(crew) => {
            check_tenant(tenant, &crew.tenant_id)?;
            let is_same = |known: &Arc<_>| is_same_crew(known, &crew);
            if crew.from_api {
                state.crews.retain(|known| !is_same(known));
            } else if state.crews.iter().any(is_same) {
                return Ok(());
            }
            state.crews.push(Arc::from(crew));
            Ok(())
        }
        Change::InsertIdempotencyKey(record) => insert_key(state, tenant, *record),
        Change::InsertControl(item) => {
            if state.run_of(tenant, item.run_id).is_none_or(|run| run.status.is_terminal()) {
                return Err(StoreError::Conflict);
            }
            let stored = StoredControl { item: *item, applied_seq: None };
            vacant(state.controls.insert(stored.item.id, stored).is_some(), "control_id")
        }
        Change::ApplyControls { run_id, ids, applied_seq } => {
            known_run(state, tenant, run_id)?;
            let mine = |control: &&mut StoredControl| control.item.run_id == run_id && ids.contains(&control.item.id);
            for control in state.controls.values_mut().filter(mine) {
                control.applied_seq.get_or_insert(applied_seq);
            }
            Ok(())
        }
        Change::SetCurrentRun { task_id, run_id, expected } => {
            let task = state.tasks.get_mut(&task_id).filter(|task| task.tenant_id == *tenant).ok_or(StoreError::Conflict)?;
            if task.current_run != expected {
                return Err(StoreError::Conflict);
            }
            Arc::make_mut(task).current_run = run_id;
            Ok(())
        }
        change => apply_later_change(state, tenant, change),
    }
}

/// Questions, business keys, webhooks and schedules.
fn apply_later_change(state: &mut State, tenant: &TenantId, change: Change) -> Result<(), StoreError> {
    match change {
        Change::InsertApproval(approval) => {
            check_tenant(tenant, &approval.tenant_id)?;
            known_run(state, tenant, approval.run_id)?;
            vacant(state.approvals.insert(approval.id, Arc::from(approval)).is_some(), "approval_id")
        }
        Change::UpdateApproval(update) => {
            let ApprovalUpdate { approval, expected_version } = *update;
            let known = state.approvals.get(&approval.id).filter(|known| known.tenant_id == *tenant);
            if known.is_none_or(|known| known.version != expected_version) {
                return Err(StoreError::Conflict);
            }
            state.approvals.insert(approval.id, Arc::new(approval));
            Ok(())
        }
        Change::WithdrawApprovals { run_id, at: _ } => {
            known_run(state, tenant, run_id)?;
            for approval in state.approvals.values_mut().filter(|one| one.run_id == run_id && is_pending(one)) {
                let approval = Arc::make_mut(approval);
                approval.status = ApprovalStatus::Withdrawn;
                approval.version = approval.version.saturating_add(1);
            }
            Ok(())
        }
        Change::InsertDedupKey(record) => {
            check_tenant(tenant, &record.tenant_id)?;
            let key = (record.tenant_id.clone(), record.key.clone());
            let holder = state.dedup_keys.get(&key).map(|known| known.task_id);
            if holder.is_some() && holder != record.replaces {
                return Err(StoreError::Duplicate(DEDUP_KEY.to_owned()));
            }
            state.dedup_keys.insert(key, *record);
            Ok(())
        }
        Change::InsertWebhook(endpoint) => {
            check_tenant(tenant, &endpoint.tenant_id)?;
            state.hooks.insert_webhook(*endpoint)
        }
        Change::InsertScheduleFire(fire) => {
            check_tenant(tenant, &fire.tenant_id)?;
            state.hooks.insert_fire(*fire)
        }
        Change::UpdateSchedule(schedule) => {
            check_tenant(tenant, &schedule.tenant_id)?;
            state.hooks.update_schedule(*schedule)
        }
        other => Err(StoreError::Corrupt(format!("a change that the fake does not know: {other:?}"))),
    }
}

fn is_pending(approval: &Approval) -> bool {
    approval.status == ApprovalStatus::Pending
}

fn update_run(state: &mut State, tenant: &TenantId, update: RunUpdate) -> Result<(), StoreError> {
    let known = state.run_of(tenant, update.run.id).ok_or(StoreError::Conflict)?;
    if known.version != update.expected_version {
        return Err(StoreError::Conflict);
    }
    let mut run = update.run;
    // The caller's copy of the lease is as old as its claim; heartbeats have moved the end since.
    if let (Some(lease), Some(current)) = (run.lease.as_mut(), known.lease)
        && lease.epoch == current.epoch
    {
        lease.until = current.until;
    }
    if run.status.is_terminal() {
        // Orders that came too late for it are dropped.
        for control in state.controls.values_mut().filter(|control| control.item.run_id == run.id) {
            control.applied_seq.get_or_insert(0);
        }
    }
    state.runs.insert(run.id, Arc::new(run));
    Ok(())
}

fn insert_key(state: &mut State, tenant: &TenantId, record: IdempotencyRecord) -> Result<(), StoreError> {
    check_tenant(tenant, &record.tenant_id)?;
    let key = (record.tenant_id.clone(), record.route.clone(), record.key.clone());
    let oldest = record.created_at - TimeDelta::hours(24);
    if state.keys.get(&key).is_some_and(|known| known.created_at > oldest) {
        return Err(StoreError::Duplicate("idempotency_key".to_owned()));
    }
    state.keys.insert(key, record);
    Ok(())
}

fn is_same_crew(known: &StoredCrew, new: &StoredCrew) -> bool {
    (&known.tenant_id, &known.name, &known.version) == (&new.tenant_id, &new.name, &new.version)
}

fn known_run(state: &State, tenant: &TenantId, id: RunId) -> Result<(), StoreError> {
    state.run_of(tenant, id).map(|_| ()).ok_or(StoreError::Conflict)
}

fn check_tenant(unit: &TenantId, row: &TenantId) -> Result<(), StoreError> {
    if unit == row { Ok(()) } else { Err(StoreError::Corrupt("a change of another tenant".to_owned())) }
}

fn vacant(taken: bool, key: &str) -> Result<(), StoreError> {
    if taken { Err(StoreError::Duplicate(key.to_owned())) } else { Ok(()) }
}
