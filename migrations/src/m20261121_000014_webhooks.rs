//! Who is told of events, and what became of each message on its way there.

use sea_orm_migration::prelude::*;

use crate::portable::{
    add_index, drop_table, id, instant, long_text, number, optional_instant, optional_long_text, optional_number, optional_text,
    table, text,
};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        endpoints(manager).await?;
        deliveries(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_table(manager, "webhook_deliveries").await?;
        drop_table(manager, "webhook_endpoints").await
    }
}

async fn endpoints(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut endpoints = table(manager, "webhook_endpoints");
    endpoints
        .col(id("id").primary_key())
        .col(text("tenant_id", 36))
        .col(optional_text("task_id", 36))
        .col(text("payload", 16))
        .col(number("timeout_seconds"))
        .col(number("max_concurrent"))
        .col(optional_instant("previous_secret_until"))
        .col(optional_instant("disabled_at"))
        .col(optional_instant("failing_since"))
        .col(instant("created_at"))
        .col(number("version"))
        .col(long_text(manager, "url"))
        .col(optional_long_text(manager, "description"))
        .col(long_text(manager, "events"))
        .col(long_text(manager, "secret"))
        .col(optional_long_text(manager, "previous_secret"))
        .col(optional_long_text(manager, "disabled_reason"));
    manager.create_table(endpoints).await?;
    // Asked at the start and end of every task whether anybody wants to know: for all tasks, or for this one.
    add_index(manager, "webhook_endpoints", "webhook_endpoints_by_task", &["tenant_id", "task_id", "id"]).await
}

async fn deliveries(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut deliveries = table(manager, "webhook_deliveries");
    deliveries
        .col(id("id").primary_key())
        .col(text("tenant_id", 36))
        .col(id("message_id"))
        .col(id("webhook_id"))
        .col(text("status", 16))
        .col(number("attempts"))
        .col(optional_instant("next_attempt_at"))
        .col(optional_instant("lease_until"))
        .col(optional_number("response_status"))
        .col(optional_number("duration_ms"))
        .col(optional_instant("attempted_at"))
        .col(optional_instant("delivered_at"))
        .col(instant("created_at"))
        .col(optional_long_text(manager, "error"));
    manager.create_table(deliveries).await?;
    // The head of the queue; what is at its end has no next attempt.
    let due = ["status", "next_attempt_at", "webhook_id"];
    add_index(manager, "webhook_deliveries", "webhook_deliveries_due", &due).await?;
    // What is being sent has the end of its lease, and is little.
    let in_flight = ["lease_until", "webhook_id"];
    add_index(manager, "webhook_deliveries", "webhook_deliveries_in_flight", &in_flight).await?;
    // The log of an endpoint, newest first: ids rise with time.
    add_index(manager, "webhook_deliveries", "webhook_deliveries_log", &["webhook_id", "id"]).await?;
    let by_status = ["webhook_id", "status", "id"];
    add_index(manager, "webhook_deliveries", "webhook_deliveries_by_status", &by_status).await
}
