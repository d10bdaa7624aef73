//! What clients submitted.

use sea_orm_migration::prelude::*;

use crate::portable::{add_index, drop_table, id, instant, long_text, optional_number, optional_text, small_number, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut tasks = table(manager, "tasks");
        tasks
            .col(id("id").primary_key())
            .col(text("tenant_id", 36))
            .col(text("crew", 128))
            .col(text("definition_version", 80))
            .col(small_number("priority_rank"))
            .col(optional_number("deadline_seconds"))
            .col(optional_number("max_tokens"))
            .col(optional_text("traceparent", 255))
            .col(text("request_id", 255))
            .col(id("current_run"))
            .col(instant("created_at"))
            .col(long_text(manager, "inputs"))
            .col(long_text(manager, "metadata"));
        manager.create_table(tasks).await?;
        // Lists, newest first: ids rise with time.
        add_index(manager, "tasks", "tasks_by_tenant", &["tenant_id", "id"]).await?;
        add_index(manager, "tasks", "tasks_by_crew", &["tenant_id", "crew", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "tasks").await
    }
}
