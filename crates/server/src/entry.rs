//! From the process's start to its exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use crewd_infrastructure::persistence::DatabaseError;
use crewd_settings::{Settings, SettingsError};

use crate::args::{Arguments, Command};
use crate::bootstrap::remedy;
use crate::commands;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A configuration that cannot be started with (`EX_CONFIG` of sysexits.h).
const EXIT_CONFIG: u8 = 78;
/// A database that cannot be reached (`EX_UNAVAILABLE`): the same start may succeed later.
const EXIT_UNAVAILABLE: u8 = 69;
/// How long work on threads may go on at the end. An orderly end has waited for all of it before.
const LAST_WORK: Duration = Duration::from_secs(1);
/// Anything else that went wrong.
const EXIT_FAILURE: u8 = 1;

/// Runs the command line of this process. Ends with 0 for success, 1 for failure, 2 for a wrong command line, 69 for
/// a database that cannot be reached, 78 for a wrong configuration.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One TLS provider for everything; a second call would only mean that it is there already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match dispatch(arguments) {
        Ok(code) => code,
        Err(error) => {
            let code = exit_code(&error);
            eprintln!("crewd: {error:#}");
            if let Some(error) = error.downcast_ref::<DatabaseError>() {
                eprintln!("crewd: {}", remedy(error));
            }
            ExitCode::from(code)
        }
    }
}

fn exit_code(error: &anyhow::Error) -> u8 {
    // A move says first which of its two databases failed.
    match error.chain().find_map(|cause| cause.downcast_ref::<DatabaseError>()).or(error.downcast_ref()) {
        _ if error.downcast_ref::<SettingsError>().is_some() => EXIT_CONFIG,
        Some(DatabaseError::Unreachable { .. } | DatabaseError::TooManyConnections(_)) => EXIT_UNAVAILABLE,
        Some(
            DatabaseError::Url(_)
            | DatabaseError::AccessDenied(_)
            | DatabaseError::NoSuchDatabase(_)
            | DatabaseError::ReadOnly(_)
            | DatabaseError::TooOld { .. }
            | DatabaseError::NewerSchema(_)
            | DatabaseError::OldSchema
            | DatabaseError::HalfMoved,
        ) => EXIT_CONFIG,
        _ => EXIT_FAILURE,
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let overrides = arguments.overrides();
    match arguments.command.unwrap_or(Command::All) {
        Command::Completions { shell } => Ok(commands::completions(shell)),
        Command::Openapi => commands::openapi(),
        Command::Validate(validate) => commands::validate(&validate, overrides),
        Command::Config { action } => commands::config(&action, overrides),
        command => {
            let settings = Settings::load_from_process(overrides)?;
            let runtime = runtime()?;
            let ended = runtime.block_on(commands::with_settings(command, settings));
            // A process that is told to end at once does not wait for a tool that works on a thread.
            runtime.shutdown_timeout(LAST_WORK);
            ended
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // Tools and files run on blocking threads; each costs memory, and disks do not get faster with more of them.
    let blocking = std::thread::available_parallelism().map_or(8, |cores| cores.get().saturating_mul(4)).clamp(8, 64);
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(blocking).build()?)
}
