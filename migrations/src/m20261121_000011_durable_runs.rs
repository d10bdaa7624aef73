//! Runs that wait, begin later, take their turn, go on from another run, and lie among the dead letters.

use sea_orm_migration::prelude::*;

use crate::portable::{
    add_columns, add_index, add_sparse_index, drop_columns, drop_index, number, optional_instant, optional_long_text,
    optional_text,
};

/// See the module.
#[derive(Debug, DeriveMigrationName)]
pub(crate) struct Migration;

const RUN_COLUMNS: &[&str] = &[
    "parent_run_id",
    "fork_step",
    "concurrency_key",
    "woken_from",
    "wake_at",
    "waiting_since",
    "waited_ms",
    "stop_after",
    "state_hash",
    "dead_letter",
    "failure_class",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager, "tasks", [optional_long_text(manager, "options")]).await?;
        add_columns(manager, "steps", [optional_text("reused_from", 36)]).await?;
        let columns = [
            optional_text("parent_run_id", 36),
            optional_text("fork_step", 255),
            optional_text("concurrency_key", 255),
            optional_text("woken_from", 16),
            optional_instant("wake_at"),
            optional_instant("waiting_since"),
            number("waited_ms").default(0).take(),
            optional_text("stop_after", 255),
            optional_text("state_hash", 80),
            optional_text("dead_letter", 16),
            optional_text("failure_class", 32),
        ];
        add_columns(manager, "runs", columns).await?;
        name_failures(manager).await?;
        // The queue, in turns over tenants and keys; its head also finds the active runs of a worker.
        let turns = ["status", "priority_rank", "tenant_id", "concurrency_key", "created_at"];
        add_index(manager, "runs", "runs_turns", &turns).await?;
        drop_index(manager, "runs", "runs_queue").await?;
        add_index(manager, "runs", "runs_by_task", &["tenant_id", "task_id"]).await?;
        // What nobody holds and somebody has to look at.
        add_sparse_index(manager, "runs", "runs_due", &["wake_at"], "wake_at").await?;
        // Who has a key.
        let by_key = ["tenant_id", "concurrency_key", "status"];
        add_sparse_index(manager, "runs", "runs_by_key", &by_key, "concurrency_key").await?;
        let dead_letters = ["tenant_id", "dead_letter", "task_id"];
        add_sparse_index(manager, "runs", "runs_dead_letters", &dead_letters, "dead_letter").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_index(manager, "runs", "runs_queue", &["status", "priority_rank", "created_at"]).await?;
        for index in ["runs_turns", "runs_by_task", "runs_due", "runs_by_key", "runs_dead_letters"] {
            drop_index(manager, "runs", index).await?;
        }
        drop_columns(manager, "runs", RUN_COLUMNS).await?;
        drop_columns(manager, "steps", &["reused_from"]).await?;
        drop_columns(manager, "tasks", &["options"]).await
    }
}

/// The class of failures that were stored before it had a column. Inside of a text the quotes would be escaped, so
/// only a real key is found.
async fn name_failures(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for class in ["user_error", "tool_error", "provider_error", "timeout", "crash_loop", "journal_mismatch", "internal"] {
        let update = Query::update()
            .table("runs")
            .value("failure_class", class)
            .and_where(Expr::col("failure_class").is_null())
            .and_where(Expr::col("error").like(format!("%\"class\":\"{class}\"%")))
            .take();
        manager.execute(update).await?;
    }
    Ok(())
}
