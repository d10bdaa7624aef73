//! Work that one process does for all, and who does it until when.

use sea_orm_migration::prelude::*;

use crate::portable::{drop_table, instant, number, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut duties = table(manager, "duties");
        duties
            .col(text("name", 64).primary_key())
            // Empty where it was given back.
            .col(text("holder", 36))
            .col(number("epoch"))
            .col(instant("held_until"));
        manager.create_table(duties).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "duties").await
    }
}
