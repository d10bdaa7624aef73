//! `crewd config show`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use crewd_settings::Settings;

use crate::args::ConfigAction;

/// Prints the settings in force.
pub(crate) fn config(action: &ConfigAction, overrides: BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let ConfigAction::Show { origin } = action;
    let settings = Settings::load_from_process(overrides)?;
    let rows = settings.origins();
    let width = rows.iter().map(|row| row.variable.len()).max().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for row in rows {
        if *origin {
            writeln!(out, "{:<width$}  {}  ({})", row.variable, row.value, row.origin)?;
        } else {
            writeln!(out, "{:<width$}  {}", row.variable, row.value)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
