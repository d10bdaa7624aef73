//! What the fake remembers. Cloning is cheap enough to try a unit on a copy and throw the copy away.

use std::collections::BTreeMap;
use std::sync::Arc;

use crewd_domain::runs::{Event, Run, Step, StepPath, Task};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::ports::{ControlItem, IdempotencyRecord, StoredCrew};

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
