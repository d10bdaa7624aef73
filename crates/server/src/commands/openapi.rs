//! `crewd openapi`.

use std::io::Write;
use std::process::ExitCode;

/// Prints the OpenAPI document as JSON.
pub(crate) fn openapi() -> anyhow::Result<ExitCode> {
    let text = crewd_api::openapi().to_pretty_json()?;
    writeln!(std::io::stdout(), "{text}")?;
    Ok(ExitCode::SUCCESS)
}
