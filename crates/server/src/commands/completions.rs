//! `crewd completions <shell>`.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Arguments;

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Arguments::command(), "crewd", &mut std::io::stdout());
    ExitCode::SUCCESS
}
