//! Executions of tasks: the state machine, the queue and the leases.

use sea_orm_migration::prelude::*;

use crate::portable::{
    add_index, drop_table, flag, id, instant, number, optional_instant, optional_long_text, optional_text, small_number, table,
    text, usage,
};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut runs = table(manager, "runs");
        runs.col(id("id").primary_key())
            .col(text("tenant_id", 36))
            .col(id("task_id"))
            .col(number("attempt"))
            .col(text("status", 16))
            .col(optional_text("waiting_for", 16))
            .col(small_number("priority_rank"))
            .col(optional_text("lease_owner", 36))
            .col(optional_instant("lease_until"))
            .col(number("epoch"))
            .col(number("version"))
            .col(number("crash_count"))
            .col(optional_text("incomplete_reason", 16));
        for column in usage() {
            runs.col(column);
        }
        runs.col(number("steps_done"))
            .col(flag("simulated"))
            .col(instant("created_at"))
            .col(optional_instant("started_at"))
            .col(optional_instant("finished_at"))
            .col(optional_long_text(manager, "cancel_request"))
            .col(optional_long_text(manager, "error"))
            .col(optional_long_text(manager, "output"));
        manager.create_table(runs).await?;
        // The queue; its head also finds the active runs of a worker.
        add_index(manager, "runs", "runs_queue", &["status", "priority_rank", "created_at"]).await?;
        // Lists by state.
        add_index(manager, "runs", "runs_by_tenant_status", &["tenant_id", "status", "task_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "runs").await
    }
}
