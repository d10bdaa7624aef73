//! Reading questions to people. They are written in units of work.

use async_trait::async_trait;
use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus};
use crewd_domain::shared::{ApprovalId, RunId, TaskId, TenantId};
use serde_json::Value;

use super::store::StoreError;

/// What to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApprovalFilter {
    /// Only this state.
    pub status: Option<ApprovalStatus>,
    /// Only this kind.
    pub kind: Option<ApprovalKind>,
    /// Only of this task.
    pub task_id: Option<TaskId>,
}

/// Reads questions. Nothing is read without its tenant.
#[async_trait]
pub trait ApprovalQueries: Send + Sync {
    /// A question; `None` if this tenant has no such one.
    async fn approval(&self, tenant: &TenantId, id: ApprovalId) -> Result<Option<Approval>, StoreError>;

    /// Questions, newest first (by id), at most `limit`, only those before the given id if there is one.
    async fn approvals(
        &self,
        tenant: &TenantId,
        filter: &ApprovalFilter,
        before: Option<ApprovalId>,
        limit: u32,
    ) -> Result<Vec<Approval>, StoreError>;

    /// All questions of a run, oldest first.
    async fn approvals_of(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<Approval>, StoreError>;
}

/// Checks edited arguments against the schema of a tool.
pub trait ArgumentCheck: Send + Sync {
    /// # Errors
    /// What is wrong, in words; a tool that is gone is wrong, too.
    fn check(&self, tool: &str, arguments: &Value) -> Result<(), String>;
}
