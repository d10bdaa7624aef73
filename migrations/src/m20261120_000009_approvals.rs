//! Tool calls that wait for a person, and what was decided.

use sea_orm_migration::prelude::*;

use crate::portable::{
    add_index, drop_table, id, instant, long_text, number, optional_instant, optional_long_text, optional_text, table, text,
};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut approvals = table(manager, "approvals");
        approvals
            .col(id("id").primary_key())
            .col(text("tenant_id", 36))
            .col(id("run_id"))
            .col(id("task_id"))
            .col(text("step_path", 255))
            .col(text("tool", 255))
            .col(text("args_hash", 80))
            .col(text("risk", 16))
            .col(optional_text("policy", 128))
            .col(text("allowed_decisions", 128))
            .col(number("quorum"))
            .col(optional_text("role", 128))
            .col(instant("requested_at"))
            .col(optional_instant("expires_at"))
            .col(text("on_expire", 16))
            .col(optional_text("decision", 16))
            .col(optional_text("decided_by", 255))
            .col(optional_instant("decided_at"))
            .col(number("version"))
            .col(long_text(manager, "args"))
            .col(optional_long_text(manager, "response_schema"))
            .col(optional_long_text(manager, "response"))
            .col(optional_long_text(manager, "comment"));
        manager.create_table(approvals).await?;
        // What is open has no decision yet.
        add_index(manager, "approvals", "approvals_by_tenant", &["tenant_id", "decision", "requested_at"]).await?;
        add_index(manager, "approvals", "approvals_by_run", &["run_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "approvals").await
    }
}
