//! First answers to creating requests.

use sea_orm_migration::prelude::*;

use crate::portable::{drop_table, id, instant, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut idempotency_keys = table(manager, "idempotency_keys");
        idempotency_keys
            .col(text("tenant_id", 36))
            .col(text("route", 128))
            .col(text("idem_key", 255))
            .col(text("fingerprint", 80))
            .col(id("task_id"))
            .col(instant("created_at"))
            .primary_key(Index::create().col("tenant_id").col("route").col("idem_key"));
        manager.create_table(idempotency_keys).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "idempotency_keys").await
    }
}
