//! One file a command.

mod completions;
mod config;
mod doctor;
mod healthcheck;
mod migrate;
mod openapi;
mod progress;
mod run;
mod serve;
mod validate;

use std::process::ExitCode;

use crewd_settings::Settings;

use crate::args::Command;

pub(crate) use completions::completions;
pub(crate) use config::config;
pub(crate) use openapi::openapi;
pub(crate) use validate::validate;

/// Commands that work with an installation, inside the runtime.
pub(crate) async fn with_settings(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::All => serve::serve(settings, serve::Role::All).await,
        Command::Serve => serve::serve(settings, serve::Role::Api).await,
        Command::Worker => serve::serve(settings, serve::Role::Worker).await,
        Command::Migrate { action } => migrate::migrate(&action, &settings).await,
        Command::Run(run) => run::run(&run, settings).await,
        Command::Doctor => doctor::doctor(&settings).await,
        Command::Healthcheck => healthcheck::healthcheck(&settings).await,
        Command::Validate(_) | Command::Config { .. } | Command::Openapi | Command::Completions { .. } => {
            anyhow::bail!("this command needs no installation")
        }
    }
}
