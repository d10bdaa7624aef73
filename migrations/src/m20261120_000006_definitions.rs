//! Crew definitions by content hash.

use sea_orm_migration::prelude::*;

use crate::portable::{drop_table, flag, instant, long_text, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut definitions = table(manager, "definitions");
        definitions
            .col(text("tenant_id", 36))
            .col(text("name", 128))
            .col(text("version", 80))
            .col(flag("from_api"))
            .col(instant("created_at"))
            .col(long_text(manager, "definition"))
            .primary_key(Index::create().col("tenant_id").col("name").col("version"));
        manager.create_table(definitions).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "definitions").await
    }
}
