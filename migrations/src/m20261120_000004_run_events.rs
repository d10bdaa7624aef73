//! The log of every task: append-only, numbered without a gap.

use sea_orm_migration::prelude::*;

use crate::portable::{drop_table, id, instant, long_text, number, optional_text, small_number, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut run_events = table(manager, "run_events");
        run_events
            .col(id("task_id"))
            .col(number("seq"))
            .col(text("tenant_id", 36))
            .col(id("run_id"))
            .col(number("epoch"))
            .col(text("type", 64))
            .col(optional_text("step_path", 255))
            .col(instant("ts"))
            .col(small_number("schema_version"))
            .col(long_text(manager, "payload"))
            .primary_key(Index::create().col("task_id").col("seq"));
        manager.create_table(run_events).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "run_events").await
    }
}
