//! Business keys: which task of a tenant holds which.

use sea_orm_migration::prelude::*;

use crate::portable::{drop_table, id, optional_instant, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut dedup_keys = table(manager, "dedup_keys");
        dedup_keys
            .col(text("tenant_id", 36))
            .col(text("dedup_key", 255))
            .col(id("task_id"))
            .col(optional_instant("expires_at"))
            .primary_key(Index::create().col("tenant_id").col("dedup_key"));
        manager.create_table(dedup_keys).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "dedup_keys").await
    }
}
