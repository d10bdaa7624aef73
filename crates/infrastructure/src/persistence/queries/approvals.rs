//! Questions to people.

use async_trait::async_trait;
use crewd_application::ports::{ApprovalFilter, ApprovalQueries, StoreError};
use crewd_domain::approvals::Approval;
use crewd_domain::shared::{ApprovalId, RunId, TenantId};
use sea_orm::{QueryResult, Value};

use super::run_queries::SeaRunQueries;
use crate::persistence::rows::{APPROVALS, CellReader, read_approval};

#[async_trait]
impl ApprovalQueries for SeaRunQueries {
    async fn approval(&self, tenant: &TenantId, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        let columns = APPROVALS.columns_of("a");
        let sql = format!("SELECT {columns} FROM approvals a WHERE a.id = ? AND a.tenant_id = ?");
        let row = self.first(sql, vec![id.to_string().into(), tenant.as_str().into()]).await?;
        row.map(|row| read_approval(&mut CellReader::new(&row))).transpose()
    }

    async fn approvals(
        &self,
        tenant: &TenantId,
        filter: &ApprovalFilter,
        before: Option<ApprovalId>,
        limit: u32,
    ) -> Result<Vec<Approval>, StoreError> {
        let (sql, values) = page_of_approvals(tenant, filter, before, limit);
        read(&self.all(sql, values).await?)
    }

    async fn approvals_of(&self, tenant: &TenantId, run_id: RunId) -> Result<Vec<Approval>, StoreError> {
        let columns = APPROVALS.columns_of("a");
        let sql = format!("SELECT {columns} FROM approvals a WHERE a.run_id = ? AND a.tenant_id = ? ORDER BY a.id");
        read(&self.all(sql, vec![run_id.to_string().into(), tenant.as_str().into()]).await?)
    }
}

fn read(rows: &[QueryResult]) -> Result<Vec<Approval>, StoreError> {
    rows.iter().map(|row| read_approval(&mut CellReader::new(row))).collect()
}

/// The statement walks one index backwards and stops.
pub(in crate::persistence) fn page_of_approvals(
    tenant: &TenantId,
    filter: &ApprovalFilter,
    before: Option<ApprovalId>,
    limit: u32,
) -> (String, Vec<Value>) {
    let mut sql = format!("SELECT {} FROM approvals a WHERE a.tenant_id = ?", APPROVALS.columns_of("a"));
    let mut values: Vec<Value> = vec![tenant.as_str().into()];
    let mut add = |condition: &str, value: Value| {
        sql.push_str(condition);
        values.push(value);
    };
    if let Some(status) = filter.status {
        add(" AND a.status = ?", status.as_str().into());
    }
    if let Some(kind) = filter.kind {
        add(" AND a.kind = ?", kind.as_str().into());
    }
    if let Some(task) = filter.task_id {
        add(" AND a.task_id = ?", task.to_string().into());
    }
    if let Some(before) = before {
        add(" AND a.id < ?", before.to_string().into());
    }
    add(" ORDER BY a.id DESC LIMIT ?", i64::from(limit).into());
    (sql, values)
}
