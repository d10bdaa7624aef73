//! Control inputs on their way to whoever holds the run.

use sea_orm_migration::prelude::*;

use crate::portable::{add_index, drop_table, id, long_text, optional_number, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut run_inbox = table(manager, "run_inbox");
        run_inbox
            .col(id("id").primary_key())
            .col(text("tenant_id", 36))
            .col(id("run_id"))
            .col(id("task_id"))
            .col(text("kind", 32))
            .col(optional_number("applied_seq"))
            .col(long_text(manager, "payload"));
        manager.create_table(run_inbox).await?;
        // What waits has no number yet, and is little.
        add_index(manager, "run_inbox", "run_inbox_waiting", &["applied_seq", "run_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "run_inbox").await
    }
}
