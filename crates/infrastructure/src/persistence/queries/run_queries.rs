//! The port for reading; each question has its own module.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_application::ports::{
    ControlItem, CrewVersion, DedupRecord, EventQuery, EventTail, IdempotencyRecord, RunQueries, StoreError, StoredCrew,
    TaskFilter, TaskPage, TaskView,
};
use crewd_domain::runs::{Event, Run, Step};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use sea_orm::{DbBackend, QueryResult, Value};

use super::task_reads::TaskReads;
use crate::persistence::dialect::statement;
use crate::persistence::error::unavailable;
use crate::persistence::session::Readers;

/// Reads through the pool of readers. Every statement names the tenant.
#[derive(Clone)]
pub struct SeaRunQueries {
    readers: Readers,
    task_reads: TaskReads,
}

impl std::fmt::Debug for SeaRunQueries {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SeaRunQueries").field("readers", &self.readers).finish_non_exhaustive()
    }
}

impl SeaRunQueries {
    pub(in crate::persistence) fn new(readers: Readers) -> Self {
        Self { readers, task_reads: TaskReads::default() }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.readers.backend()
    }

    pub(super) async fn all(&self, sql: impl Into<String> + Send, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.readers.query_all_raw(statement(self.backend(), sql, values)).await.map_err(unavailable)
    }

    pub(super) async fn first(
        &self,
        sql: impl Into<String> + Send,
        values: Vec<Value>,
    ) -> Result<Option<QueryResult>, StoreError> {
        self.readers.query_one_raw(statement(self.backend(), sql, values)).await.map_err(unavailable)
    }
}

#[async_trait]
impl RunQueries for SeaRunQueries {
    async fn task(&self, tenant: &TenantId, id: TaskId) -> Result<Option<TaskView>, StoreError> {
        match self.backend() {
            DbBackend::Sqlite => Ok(self.read_tasks(tenant, &[id]).await?.pop()),
            _ => self.task_reads.read(self, tenant, id).await,
        }
    }

    async fn tasks(
        &self,
        tenant: &TenantId,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<TaskPage, StoreError> {
        self.read_page(tenant, filter, before, limit).await
    }

    async fn run(&self, tenant: &TenantId, id: RunId) -> Result<Option<Run>, StoreError> {
        self.read_one_run(tenant, id).await
    }

    async fn runs_of(&self, tenant: &TenantId, task_id: TaskId) -> Result<Vec<Run>, StoreError> {
        self.read_runs_of(tenant, task_id).await
    }

    async fn tasks_with_key(&self, tenant: &TenantId, concurrency_key: &str) -> Result<Vec<TaskView>, StoreError> {
        self.read_tasks_with_key(tenant, concurrency_key).await
    }

    async fn dedup_key(&self, tenant: &TenantId, key: &str) -> Result<Option<DedupRecord>, StoreError> {
        self.read_dedup_key(tenant, key).await
    }

    async fn steps(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<Step>, StoreError> {
        self.read_steps(tenant, run_id).await
    }

    async fn orders(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<ControlItem>, StoreError> {
        self.read_orders(tenant, run_id).await
    }

    async fn events(&self, tenant: &TenantId, query: &EventQuery) -> Result<Vec<Event>, StoreError> {
        self.read_events(tenant, query).await
    }

    async fn last_seq(&self, tenant: &TenantId, task_id: TaskId) -> Result<u64, StoreError> {
        self.read_last_seq(tenant, task_id).await
    }

    async fn crew(&self, tenant: &TenantId, name: &str, version: &str) -> Result<Option<StoredCrew>, StoreError> {
        self.read_crew(tenant, name, version).await
    }

    async fn api_crew(&self, tenant: &TenantId, name: &str) -> Result<Option<StoredCrew>, StoreError> {
        self.read_api_crew(tenant, name).await
    }

    async fn api_crews(&self, tenant: &TenantId) -> Result<Vec<StoredCrew>, StoreError> {
        self.read_api_crews(tenant).await
    }

    async fn crew_versions(&self, tenant: &TenantId, name: &str) -> Result<Vec<CrewVersion>, StoreError> {
        self.read_crew_versions(tenant, name).await
    }

    async fn idempotency(
        &self,
        tenant: &TenantId,
        route: &str,
        key: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        self.read_idempotency(tenant, route, key, now).await
    }
}

#[async_trait]
impl EventTail for SeaRunQueries {
    async fn last_seqs(&self, tasks: &[TaskId]) -> Result<Vec<(TaskId, u64)>, StoreError> {
        self.read_last_seqs(tasks).await
    }
}
