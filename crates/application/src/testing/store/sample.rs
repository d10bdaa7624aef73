//! Rows to write.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::runs::{Budget, EventDraft, EventKind, Priority, Run, Step, StepKind, StepPath, StepStatus, Task, TaskOptions};
use crewd_domain::shared::{RunId, TaskId, TenantId, Usage, WorkerId};
use crewd_domain::tools::EffectClass;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::harness::{Harness, must};
use crate::ports::{Change, IdempotencyRecord, StoredCrew, UnitOfWork};
use crate::testing::ids::SequenceIds;

/// Draws ids and makes rows that differ from each other. Instants are seconds after 2026-01-01.
pub struct Sample {
    ids: SequenceIds,
    tenant: TenantId,
}

/// A task in the database, queued, with one event.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// What was submitted.
    pub task: Task,
    /// Its run, queued.
    pub run: Run,
}

impl Default for Sample {
    fn default() -> Self {
        Self { ids: SequenceIds::default(), tenant: TenantId::default_tenant() }
    }
}

impl Sample {
    /// The tenant of all rows.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// A new id.
    pub fn id(&self) -> Uuid {
        use crate::ports::IdGenerator;
        self.ids.next_id()
    }

    /// A new worker.
    pub fn worker(&self) -> WorkerId {
        WorkerId::new(self.id())
    }

    /// A task and its run, not stored yet.
    pub fn queued(&self, priority: Priority, second: i64) -> Submitted {
        let (task_id, run_id) = (TaskId::new(self.id()), RunId::new(self.id()));
        let task = Task {
            id: task_id,
            tenant_id: self.tenant.clone(),
            crew: "research".to_owned(),
            definition_version: "sha256:00".to_owned(),
            priority,
            inputs: object(&json!({"topic": "rivers", "zahl": 7})),
            metadata: Map::new(),
            deadline_seconds: None,
            budget: Budget::default(),
            options: TaskOptions::default(),
            traceparent: None,
            request_id: "request".to_owned(),
            current_run: run_id,
            created_at: at(second),
        };
        let run = Run::queued(run_id, task_id, self.tenant.clone(), at(second));
        Submitted { task, run }
    }

    /// A task in the database: priority and age as told.
    pub async fn submit(&self, harness: &Harness, priority: Priority, second: i64) -> Submitted {
        self.store(harness, self.queued(priority, second)).await
    }

    /// A task in the database, changed before it is stored.
    pub async fn submit_with(&self, harness: &Harness, change: impl FnOnce(&mut Task) + Send) -> Submitted {
        let mut submitted = self.queued(Priority::Standard, 0);
        change(&mut submitted.task);
        self.store(harness, submitted).await
    }

    async fn store(&self, harness: &Harness, submitted: Submitted) -> Submitted {
        must(harness.store.commit(submitted.unit()).await);
        submitted
    }

    /// A step of a run that has been announced.
    pub fn step(&self, run: &Run, path: StepPath, seq: u64) -> Step {
        Step {
            run_id: run.id,
            task_id: run.task_id,
            path,
            attempt: 1,
            kind: StepKind::LlmCall,
            name: "qwen-plus".to_owned(),
            agent: "researcher".to_owned(),
            effect: EffectClass::Model,
            status: StepStatus::Started,
            input_hash: "ab".repeat(32),
            idempotency_key: "cd".repeat(32),
            reused_from: None,
            seq,
            output: None,
            error: None,
            usage: Usage::default(),
            started_at: at(10),
            finished_at: None,
        }
    }

    /// A definition from the API.
    #[must_use]
    pub fn crew(&self, name: &str, version: &str, second: i64) -> StoredCrew {
        StoredCrew {
            tenant_id: self.tenant.clone(),
            name: name.to_owned(),
            version: version.to_owned(),
            definition: format!("{{\"name\":\"{name}\",\"version\":\"{version}\"}}"),
            from_api: true,
            created_at: at(second),
        }
    }

    /// The memory of an answer.
    #[must_use]
    pub fn key(&self, key: &str, task_id: TaskId, second: i64) -> IdempotencyRecord {
        IdempotencyRecord {
            tenant_id: self.tenant.clone(),
            route: "POST /api/v1/tasks".to_owned(),
            key: key.to_owned(),
            fingerprint: "ef".repeat(32),
            task_id,
            created_at: at(second),
        }
    }
}

impl Submitted {
    /// The unit that stores task, run and first event.
    #[must_use]
    pub fn unit(&self) -> UnitOfWork {
        let mut unit = UnitOfWork::new(self.task.tenant_id.clone());
        unit.push(Change::InsertTask(Box::new(self.task.clone())));
        unit.push(Change::InsertRun(Box::new(self.run.clone())));
        unit.push(event(&self.run, EventKind::TaskQueued, 1));
        unit
    }
}

/// An event of a run.
pub(in crate::testing) fn event(run: &Run, kind: EventKind, seq: u64) -> Change {
    let draft = EventDraft::of_run(kind, json!({"place": seq}));
    Change::AppendEvent(Arc::new(draft.number(seq, run.task_id, run.id, at(0))))
}

/// A second of 2026.
pub(in crate::testing) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_767_225_600_000_000).unwrap_or_default() + TimeDelta::seconds(second)
}

/// A JSON object.
pub(super) fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Another tenant.
pub(in crate::testing) fn stranger() -> TenantId {
    TenantId::try_from("stranger".to_owned()).unwrap_or_else(|_| TenantId::default_tenant())
}
