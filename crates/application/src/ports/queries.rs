//! The read side. Readers never wait for a writer.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_domain::runs::{DeadLetter, Event, EventKind, FailureClass, Run, RunStatus, Step, Task};
use crewd_domain::shared::{RunId, TaskId, TenantId, Usage};

use super::queue::ControlItem;
use super::store::{DedupRecord, StoreError};

/// A definition pinned by its content hash.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCrew {
    /// Its owner.
    pub tenant_id: TenantId,
    /// The crew's name.
    pub name: String,
    /// `sha256:` and hexadecimal digits of `definition`.
    pub version: String,
    /// Canonical JSON of the definition.
    pub definition: String,
    /// Whether it came over the API and so stands before a file of the same name.
    pub from_api: bool,
    /// When it was first seen, or last given over the API.
    pub created_at: DateTime<Utc>,
}

/// A line of a crew's history.
#[derive(Clone, Debug, PartialEq)]
pub struct CrewVersion {
    /// `sha256:` and hexadecimal digits.
    pub version: String,
    /// Whether it came over the API.
    pub from_api: bool,
    /// When it was first seen, or last given over the API.
    pub created_at: DateTime<Utc>,
}

/// Remembers the first answer to a creating request.
#[derive(Clone, Debug, PartialEq)]
pub struct IdempotencyRecord {
    /// Scope, together with route and key.
    pub tenant_id: TenantId,
    /// The route, such as `POST /api/v1/tasks`.
    pub route: String,
    /// The client's key, 1 to 255 characters.
    pub key: String,
    /// SHA-256 of the canonical body.
    pub fingerprint: String,
    /// What was created.
    pub task_id: TaskId,
    /// When; it is kept for 24 hours from here.
    pub created_at: DateTime<Utc>,
}

/// What a run has done so far, from its journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskProgress {
    /// Finished steps.
    pub steps_done: u32,
    /// Path of the step that was announced last and is not finished.
    pub current: Option<String>,
    /// Sum over the finished steps.
    pub usage: Usage,
}

/// A task with the state of its current run.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// What was submitted.
    pub task: Task,
    /// Its current run.
    pub run: Run,
    /// How far it is. Of a finished run it is the run's own totals.
    pub progress: TaskProgress,
}

/// What to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskFilter {
    /// Only these states; empty means all.
    pub statuses: Vec<RunStatus>,
    /// Only tasks of this crew.
    pub crew: Option<String>,
    /// Only tasks whose current run stands so among the dead letters.
    pub dead_letter: Option<DeadLetter>,
    /// Only tasks whose current run failed with this class.
    pub failure_class: Option<FailureClass>,
    /// Only tasks accepted at or after this instant.
    pub created_after: Option<DateTime<Utc>>,
    /// Only tasks accepted before this instant.
    pub created_before: Option<DateTime<Utc>>,
    /// Only tasks whose metadata has these texts under these keys.
    pub metadata: Vec<(String, String)>,
}

/// A page of tasks, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskPage {
    /// The tasks.
    pub items: Vec<TaskView>,
    /// Where the next page starts, if there is one.
    pub next_before: Option<TaskId>,
}

/// Which events to read.
#[derive(Clone, Debug, PartialEq)]
pub struct EventQuery {
    /// Whose log.
    pub task_id: TaskId,
    /// Only events with a larger number.
    pub after: u64,
    /// Only these kinds; empty means all.
    pub kinds: Vec<EventKind>,
    /// At most so many.
    pub limit: u32,
}

/// Reads tasks, runs, journals, logs and stored definitions. Nothing is read without its tenant.
#[async_trait]
pub trait RunQueries: Send + Sync {
    /// A task with its run; `None` if this tenant has no such task.
    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>, StoreError>;

    /// Tasks, newest first (by id), at most `limit`, only those before the given id if there is one.
    async fn tasks(
        &self,
        tenant: &TenantId,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<TaskPage, StoreError>;

    /// A run of this tenant.
    async fn run(&self, tenant: &TenantId, id: RunId) -> Result<Option<Run>, StoreError>;

    /// All runs of a task, the first one first.
    async fn runs_of(&self, tenant: &TenantId, task_id: TaskId) -> Result<Vec<Run>, StoreError>;

    /// Tasks of this tenant with a concurrency key that have not ended, oldest first.
    async fn tasks_with_key(&self, tenant: &TenantId, concurrency_key: &str) -> Result<Vec<TaskView>, StoreError>;

    /// Who holds a business key, and until when.
    async fn dedup_key(&self, tenant: &TenantId, key: &str) -> Result<Option<DedupRecord>, StoreError>;

    /// The journal of a run in the order of its announcements.
    async fn steps(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<Step>, StoreError>;

    /// Orders to a run that nobody has heeded yet, oldest first.
    async fn orders(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<ControlItem>, StoreError>;

    /// Events by rising number.
    async fn events(&self, tenant: &TenantId, query: &EventQuery) -> Result<Vec<Event>, StoreError>;

    /// The largest number in a task's log; 0 if it has none or is not this tenant's.
    async fn last_seq(&self, tenant: &TenantId, task_id: TaskId) -> Result<u64, StoreError>;

    /// A stored definition.
    async fn crew(&self, tenant: &TenantId, name: &str, version: &str) -> Result<Option<StoredCrew>, StoreError>;

    /// The newest definition of a name that came over the API.
    async fn api_crew(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredCrew>, StoreError>;

    /// The newest API definition of every name.
    async fn api_crews(&self, tenant: &TenantId) -> Result<Vec<StoredCrew>, StoreError>;

    /// All versions of a name, newest first.
    async fn crew_versions(&self, tenant: &TenantId, name: &str) -> Result<Vec<CrewVersion>, StoreError>;

    /// The memory of a first answer, if it is not older than 24 hours by the given instant.
    async fn idempotency(
        &self,
        tenant: &TenantId,
        route: &str,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<IdempotencyRecord>, StoreError>;
}
