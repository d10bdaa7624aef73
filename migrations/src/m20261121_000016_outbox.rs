//! The outbox holds messages alone: how often and when each is sent is a matter of its deliveries.
//!
//! Nothing was ever written to the table as it was before, so it is made anew.

use sea_orm_migration::prelude::*;

use crate::portable::{add_index, drop_table, id, instant, long_text, number, optional_instant, optional_number, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "outbox").await?;
        let mut outbox = table(manager, "outbox");
        outbox
            .col(id("id").primary_key())
            .col(text("tenant_id", 36))
            .col(id("task_id"))
            .col(id("run_id"))
            .col(text("type", 64))
            .col(number("seq"))
            .col(instant("created_at"))
            .col(optional_instant("expanded_at"))
            .col(long_text(manager, "payload"));
        manager.create_table(outbox).await?;
        // What has no deliveries yet has no instant, and is little.
        add_index(manager, "outbox", "outbox_waiting", &["expanded_at", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "outbox").await?;
        let mut outbox = table(manager, "outbox");
        outbox
            .col(id("id").primary_key())
            .col(text("tenant_id", 36))
            .col(id("task_id"))
            .col(id("run_id"))
            .col(text("type", 64))
            .col(optional_number("seq"))
            .col(number("attempts"))
            .col(instant("created_at"))
            .col(optional_instant("next_attempt_at"))
            .col(optional_instant("delivered_at"))
            .col(long_text(manager, "payload"));
        manager.create_table(outbox).await?;
        add_index(manager, "outbox", "outbox_due", &["delivered_at", "next_attempt_at"]).await?;
        add_index(manager, "outbox", "outbox_by_tenant", &["tenant_id", "created_at"]).await
    }
}
