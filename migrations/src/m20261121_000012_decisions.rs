//! Questions of every kind to people, and where each stands.

use sea_orm_migration::prelude::*;

use crate::portable::{add_columns, add_index, drop_columns, drop_index, optional_long_text, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            text("kind", 16).default("tool").take(),
            text("agent", 128).default("").take(),
            text("status", 16).default("pending").take(),
            optional_long_text(manager, "question"),
            optional_long_text(manager, "decided_args"),
        ];
        add_columns(manager, "approvals", columns).await?;
        // Lists, newest first: ids rise with time.
        add_index(manager, "approvals", "approvals_list", &["tenant_id", "id"]).await?;
        add_index(manager, "approvals", "approvals_by_status", &["tenant_id", "status", "id"]).await?;
        add_index(manager, "approvals", "approvals_by_task", &["tenant_id", "task_id", "id"]).await?;
        drop_index(manager, "approvals", "approvals_by_tenant").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_index(manager, "approvals", "approvals_by_tenant", &["tenant_id", "decision", "requested_at"]).await?;
        for index in ["approvals_list", "approvals_by_status", "approvals_by_task"] {
            drop_index(manager, "approvals", index).await?;
        }
        drop_columns(manager, "approvals", &["kind", "agent", "status", "question", "decided_args"]).await
    }
}
