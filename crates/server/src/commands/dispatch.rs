//! Commands that need the runtime and the settings.

use std::process::ExitCode;

use crewd_settings::Settings;

use super::data::data;
use super::doctor::doctor;
use super::healthcheck::healthcheck;
use super::migrate::migrate;
use super::run::run;
use super::serve::{Role, serve};
use crate::args::Command;

/// Carries out a command, inside the runtime.
pub(crate) async fn with_settings(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::All => Box::pin(serve(settings, Role::All)).await,
        Command::Serve => Box::pin(serve(settings, Role::Api)).await,
        Command::Scheduler => Box::pin(serve(settings, Role::Scheduler)).await,
        Command::Worker => Box::pin(serve(settings, Role::Worker)).await,
        Command::Migrate { action } => migrate(&action, &settings).await,
        Command::Data { action } => Box::pin(data(&action, &settings)).await,
        Command::Run(arguments) => Box::pin(run(&arguments, settings)).await,
        Command::Doctor => doctor(&settings).await,
        Command::Healthcheck => healthcheck(&settings).await,
        Command::Validate(_) | Command::Config { .. } | Command::Openapi | Command::Completions { .. } => {
            anyhow::bail!("this command needs no installation")
        }
    }
}
