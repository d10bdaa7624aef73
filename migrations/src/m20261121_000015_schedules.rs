//! Rules by which tasks are submitted at fixed times, and the times that were heeded.

use sea_orm_migration::prelude::*;

use crate::portable::{
    add_index, add_unique_index, drop_table, id, instant, long_text, number, optional_instant, optional_long_text, optional_text,
    table, text,
};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut schedules = table(manager, "schedules");
        schedules
            .col(id("id").primary_key())
            .col(text("tenant_id", 36))
            .col(text("name", 255))
            .col(optional_instant("next_fire_at"))
            .col(number("version"))
            .col(instant("created_at"))
            .col(long_text(manager, "definition"));
        manager.create_table(schedules).await?;
        add_unique_index(manager, "schedules", "schedules_by_name", &["tenant_id", "name"]).await?;
        add_index(manager, "schedules", "schedules_by_tenant", &["tenant_id", "id"]).await?;
        // What is paused or at its end has no next time.
        add_index(manager, "schedules", "schedules_due", &["next_fire_at"]).await?;

        let mut fires = table(manager, "schedule_fires");
        fires
            .col(id("schedule_id"))
            .col(instant("fire_time"))
            .col(text("tenant_id", 36))
            .col(text("kind", 32))
            .col(text("outcome", 32))
            .col(optional_text("task_id", 36))
            .col(instant("decided_at"))
            .col(optional_long_text(manager, "reason"))
            // Exactly one decision for each time, whoever makes it.
            .primary_key(Index::create().col("schedule_id").col("fire_time"));
        manager.create_table(fires).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "schedule_fires").await?;
        drop_table(manager, "schedules").await
    }
}
