//! `crewd migrate up | down | status`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use crewd_infrastructure::persistence::{Database, DatabaseConfig, migrate_down, migrate_up, migration_status};
use crewd_settings::Settings;
use secrecy::ExposeSecret;

use crate::args::MigrateAction;

/// Changes or shows the schema.
pub(crate) async fn migrate(action: &MigrateAction, settings: &Settings) -> anyhow::Result<ExitCode> {
    let url = settings.database.effective_url(&settings.server.data_dir);
    let config = DatabaseConfig { pool_size: 1, ..DatabaseConfig::new(url.expose_secret()) };
    let database = Database::connect(config).await.context("the database cannot be opened (APP_DATABASE_URL)")?;
    match action {
        MigrateAction::Up => migrate_up(&database).await?,
        MigrateAction::Down { steps } => migrate_down(&database, *steps).await?,
        MigrateAction::Status => {}
    }
    let mut out = std::io::stdout().lock();
    for (name, applied) in migration_status(&database).await? {
        writeln!(out, "{} {name}", if applied { "applied" } else { "pending" })?;
    }
    drop(out);
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}
