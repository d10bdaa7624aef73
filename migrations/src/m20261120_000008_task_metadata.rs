//! Labels of tasks, for filters. A task without metadata has no row.

use sea_orm_migration::prelude::*;

use crate::portable::{add_index, drop_table, id, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut task_metadata = table(manager, "task_metadata");
        task_metadata
            .col(id("task_id"))
            .col(text("label", 100))
            .col(text("label_value", 255))
            .col(text("tenant_id", 36))
            .primary_key(Index::create().col("task_id").col("label"));
        manager.create_table(task_metadata).await?;
        add_index(manager, "task_metadata", "task_metadata_by_value", &["tenant_id", "label", "label_value", "task_id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "task_metadata").await
    }
}
