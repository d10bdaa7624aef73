//! Reading questions to people. They are written in units of work.

use async_trait::async_trait;
use crewd_domain::approvals::{Approval, ApprovalKind, ApprovalStatus};
use crewd_domain::shared::{ApprovalId, RunId, TaskId, TenantId};
use serde_json::Value;

use super::store::StoreError;
use crate::error::FieldProblem;

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

/// Checks what a person gives against JSON Schemas. The pointers of problems begin at the value itself.
pub trait ArgumentCheck: Send + Sync {
    /// Arguments that were edited, against the schema of their tool.
    ///
    /// # Errors
    /// Everything that is wrong; a tool that is gone is wrong, too.
    fn check_arguments(&self, tool: &str, arguments: &Value) -> Result<(), Vec<FieldProblem>>;

    /// An answer against the schema of its question.
    ///
    /// # Errors
    /// Everything that is wrong; a schema that is none is wrong, too.
    fn check_response(&self, schema: &Value, response: &Value) -> Result<(), Vec<FieldProblem>>;
}
