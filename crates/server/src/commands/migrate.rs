//! `crewd migrate up | down | status | plan`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use crewd_infrastructure::persistence::{create_database, migrate_down, migrate_up, migration_plan, migration_status};
use crewd_settings::Settings;

use crate::args::MigrateAction;
use crate::bootstrap::{database_config, open_database};

/// Changes or shows the schema.
pub(crate) async fn migrate(action: &MigrateAction, settings: &Settings) -> anyhow::Result<ExitCode> {
    if matches!(action, MigrateAction::Up { create: true }) {
        let made = create_database(&database_config(settings)).await.context("the database cannot be made (APP_DATABASE_URL)")?;
        if made {
            eprintln!("the database was made");
        }
    }
    if matches!(action, MigrateAction::Plan) {
        return plan(settings).await;
    }
    let database = open_database(settings).await?;
    match action {
        MigrateAction::Up { .. } => migrate_up(&database).await?,
        MigrateAction::Down { steps } => migrate_down(&database, *steps).await?,
        MigrateAction::Status | MigrateAction::Plan => {}
    }
    let mut out = std::io::stdout().lock();
    for (name, applied) in migration_status(&database).await? {
        writeln!(out, "{} {name}", if applied { "applied" } else { "pending" })?;
    }
    drop(out);
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// SQL on standard output; what is not SQL on standard error.
async fn plan(settings: &Settings) -> anyhow::Result<ExitCode> {
    let text = migration_plan(&database_config(settings)).await.context("the database cannot be asked (APP_DATABASE_URL)")?;
    if text.is_empty() {
        eprintln!("the schema is current: nothing is missing");
    }
    write!(std::io::stdout().lock(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}
