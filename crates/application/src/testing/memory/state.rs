//! What the fake remembers. Cloning is cheap enough to try a unit on a copy and throw the copy away.

use std::collections::BTreeMap;
use std::sync::Arc;

use crewd_domain::approvals::{Approval, ApprovalStatus};
use crewd_domain::runs::{Event, Run, Step, StepPath, Task};
use crewd_domain::shared::{ApprovalId, RunId, TaskId, TenantId};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::hooks::Hooks;
use crate::ports::{ControlItem, ControlRequest, DedupRecord, IdempotencyRecord, StoredCrew};

/// Tenant, route and key of a creating request.
pub(super) type RequestKey = (TenantId, String, String);

/// A control input and the number of the event that applied it, once there is one.
#[derive(Clone, Debug)]
pub(super) struct StoredControl {
    pub(super) item: ControlItem,
    pub(super) applied_seq: Option<u64>,
}

/// All tables.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) tasks: BTreeMap<TaskId, Arc<Task>>,
    pub(super) runs: BTreeMap<RunId, Arc<Run>>,
    pub(super) steps: BTreeMap<RunId, Arc<BTreeMap<StepPath, Step>>>,
    pub(super) events: BTreeMap<TaskId, Arc<BTreeMap<u64, Arc<Event>>>>,
    pub(super) crews: Vec<Arc<StoredCrew>>,
    pub(super) keys: BTreeMap<RequestKey, IdempotencyRecord>,
    pub(super) controls: BTreeMap<Uuid, StoredControl>,
    /// By how many classes queued runs have moved up.
    pub(super) moved_up: BTreeMap<RunId, i16>,
    pub(super) approvals: BTreeMap<ApprovalId, Arc<Approval>>,
    pub(super) dedup_keys: BTreeMap<(TenantId, String), DedupRecord>,
    pub(super) hooks: Hooks,
}

impl State {
    /// A run, if it is this tenant's.
    pub(super) fn run_of(&self, tenant: &TenantId, id: RunId) -> Option<&Run> {
        self.runs.get(&id).map(Arc::as_ref).filter(|run| run.tenant_id == *tenant)
    }

    /// A task, if it is this tenant's.
    pub(super) fn task_of(&self, tenant: &TenantId, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id).map(Arc::as_ref).filter(|task| task.tenant_id == *tenant)
    }

    /// The largest number in a task's log; 0 if it has none.
    pub(super) fn last_seq(&self, id: TaskId) -> u64 {
        self.events.get(&id).and_then(|log| log.last_key_value()).map_or(0, |(seq, _)| *seq)
    }

    /// The questions of a run, oldest first.
    pub(super) fn approvals_of(&self, id: RunId) -> impl Iterator<Item = &Approval> {
        self.approvals.values().map(Arc::as_ref).filter(move |approval| approval.run_id == id)
    }

    /// The questions of a run that wait for an answer.
    pub(super) fn pending_of(&self, id: RunId) -> impl Iterator<Item = &Approval> {
        self.approvals_of(id).filter(|approval| approval.status == ApprovalStatus::Pending)
    }

    /// The orders of a run that nobody has heeded, oldest first.
    pub(super) fn orders_of(&self, id: RunId) -> impl Iterator<Item = &ControlItem> {
        self.controls.values().filter(move |control| control.applied_seq.is_none() && control.item.run_id == id).map(|c| &c.item)
    }

    /// Whether an order waits for the run that it can heed while it waits. Messages are for the next model call.
    pub(super) fn has_order(&self, id: RunId) -> bool {
        self.orders_of(id).any(|order| !matches!(order.request, ControlRequest::Message { .. }))
    }

    /// The journal of a run in the order of its announcements.
    pub(super) fn journal(&self, id: RunId) -> Vec<Step> {
        let mut steps: Vec<Step> = self.steps.get(&id).map(|journal| journal.values().cloned().collect()).unwrap_or_default();
        steps.sort_by_key(|step| step.seq);
        steps
    }
}

/// Whether metadata has a text under a key. Numbers and flags count by their JSON text; nothing longer than an index
/// bears is found.
pub(super) fn has_label(metadata: &Map<String, Value>, key: &str, text: &str) -> bool {
    const KEY_CHARACTERS: usize = 100;
    const TEXT_CHARACTERS: usize = 255;
    let is_text = match metadata.get(key) {
        Some(Value::String(value)) => value == text,
        Some(Value::Number(value)) => value.to_string() == text,
        Some(Value::Bool(value)) => value.to_string() == text,
        _ => false,
    };
    is_text && key.chars().count() <= KEY_CHARACTERS && text.chars().count() <= TEXT_CHARACTERS
}
