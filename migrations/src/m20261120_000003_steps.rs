//! The journal: intent and result of every model call and tool call.

use sea_orm_migration::prelude::*;

use crate::portable::{drop_table, id, instant, number, optional_instant, optional_long_text, table, text, usage};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut steps = table(manager, "steps");
        steps
            .col(id("run_id"))
            .col(text("path", 255))
            .col(text("tenant_id", 36))
            .col(id("task_id"))
            .col(number("attempt"))
            .col(text("kind", 32))
            .col(text("name", 255))
            .col(text("agent", 128))
            .col(text("effect", 16))
            .col(text("status", 16))
            .col(text("input_hash", 80))
            .col(text("idempotency_key", 128))
            .col(number("seq"));
        for column in usage() {
            steps.col(column);
        }
        steps
            .col(instant("started_at"))
            .col(optional_instant("finished_at"))
            .col(optional_long_text(manager, "error"))
            .col(optional_long_text(manager, "output"))
            .primary_key(Index::create().col("run_id").col("path"));
        manager.create_table(steps).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "steps").await
    }
}
