//! Rows that are held by who must be alone for a moment, on databases with many writers.

use sea_orm_migration::prelude::*;

use crate::portable::{drop_table, table, text};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut locks = table(manager, "locks");
        locks.col(text("name", 64).primary_key());
        manager.create_table(locks).await?;
        // Who chooses runs by keys and limits.
        let is_there = Query::select().expr(Expr::val(1)).from("locks").and_where(Expr::col("name").eq("claims")).take();
        if manager.get_connection().query_one(&is_there).await?.is_none() {
            manager.execute(Query::insert().into_table("locks").columns(["name"]).values_panic(["claims".into()]).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "locks").await
    }
}
