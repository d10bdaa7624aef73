//! The command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs crews of AI agents durably: submit a task over HTTP, get a UUID, follow it live.
#[derive(Debug, Parser)]
#[command(name = "crewd", version, max_term_width = 100)]
#[command(about = "Runs crews of AI agents durably: submit a task over HTTP, get a UUID, follow it live.")]
#[command(after_help = "Examples:\n  crewd                                   start everything on http://127.0.0.1:8072\n  \
    crewd run research --input topic=\"tea\"  run a crew here and print its answer\n  \
    crewd validate config/crews             check definitions")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    common: Common,
}

/// Settings that are often given by hand; each has a variable as well.
#[derive(Debug, Args)]
struct Common {
    /// development, staging, production or test [APP_ENV]
    #[arg(long, global = true)]
    env: Option<String>,
    /// Address to listen on [APP_HOST]
    #[arg(long, global = true)]
    host: Option<String>,
    /// Port to listen on; 0 takes a free one [APP_PORT]
    #[arg(long, global = true)]
    port: Option<String>,
    /// Folder of definitions and settings [APP_CONFIG_DIR]
    #[arg(long, global = true)]
    config_dir: Option<String>,
    /// Folder of the database and of files [APP_DATA_DIR]
    #[arg(long, global = true)]
    data_dir: Option<String>,
    /// debug, info, warn or error [APP_LOG_LEVEL]
    #[arg(long, global = true)]
    log_level: Option<String>,
    /// Any setting by its variable or key, such as APP_WORKER_SLOTS=10; may be repeated
    #[arg(long = "set", global = true, value_name = "NAME=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// API and worker in one process (the default)
    All,
    /// The API alone; workers are other processes on the same database
    Serve,
    /// A worker alone
    Worker,
    /// Timers, schedules, webhooks and recovery alone: no API, no runs
    Scheduler,
    /// Changes the database's schema
    Migrate {
        #[command(subcommand)]
        action: MigrateAction,
    },
    /// Moves an installation's data
    Data {
        #[command(subcommand)]
        action: DataAction,
    },
    /// Runs a crew in this process: progress on standard error, the answer on standard output
    Run(RunArgs),
    /// Checks crew definitions
    Validate(ValidateArgs),
    /// Checks this installation
    Doctor,
    /// Shows settings
    Config {
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Prints the OpenAPI document
    Openapi,
    /// Prints shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Asks a running server whether it is ready; for containers without curl
    Healthcheck,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateAction {
    /// Applies what is missing
    Up {
        /// Makes the database first if the server does not have it
        #[arg(long)]
        create: bool,
    },
    /// Takes back the newest changes
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// Says what is applied
    Status,
    /// Prints the SQL of what is missing, and runs nothing
    Plan,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// Copies everything into an empty database of any kind and compares both; a call that was broken off goes on
    Move(MoveArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// Where the installation is, such as sqlite://data/crewd.db
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
    /// Where it goes, such as mysql://user:password@host:2881/crewd; made if the server does not have it
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Prints tables, rows and checksums as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Prints the settings in force, secrets masked
    Show {
        /// Says where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The crew
    pub(crate) crew: String,
    /// A value of a placeholder: name=value, @file.json, or - for JSON on standard input; may be repeated
    #[arg(long = "input", value_name = "NAME=VALUE|@FILE|-")]
    pub(crate) inputs: Vec<String>,
    /// Prints the whole task as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Answers with the offline model, whatever is configured
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Folders of crews, or of one crew; the configured ones if absent
    pub(crate) paths: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) format: ReportFormat,
    /// Makes errors of warnings
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

impl Arguments {
    /// The command line's settings, by variable.
    pub(crate) fn overrides(&self) -> BTreeMap<String, String> {
        let common = &self.common;
        let named = [
            ("APP_ENV", &common.env),
            ("APP_HOST", &common.host),
            ("APP_PORT", &common.port),
            ("APP_CONFIG_DIR", &common.config_dir),
            ("APP_DATA_DIR", &common.data_dir),
            ("APP_LOG_LEVEL", &common.log_level),
        ];
        let mut overrides: BTreeMap<String, String> = common.set.iter().cloned().collect();
        overrides.extend(named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
        if let Some(Command::Run(run)) = &self.command
            && run.offline
        {
            overrides.insert("APP_LLM_PROVIDER".to_owned(), "offline".to_owned());
        }
        overrides
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "it has the form NAME=VALUE".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_become_settings() {
        let arguments = Arguments::parse_from(["crewd", "serve", "--port", "0", "--set", "APP_WORKER_SLOTS=3"]);
        let overrides = arguments.overrides();
        assert_eq!(overrides.get("APP_PORT").map(String::as_str), Some("0"));
        assert_eq!(overrides.get("APP_WORKER_SLOTS").map(String::as_str), Some("3"));
        let offline = Arguments::parse_from(["crewd", "run", "research", "--offline"]);
        assert_eq!(offline.overrides().get("APP_LLM_PROVIDER").map(String::as_str), Some("offline"));
    }
}
