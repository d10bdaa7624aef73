//! `crewd validate [paths]`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use crewd_application::ports::CrewSource;
use crewd_domain::crews::ValidationReport;
use crewd_orchestration::definition::{read_crew, render_json, render_text, sources_at};
use crewd_settings::Settings;

use crate::args::{ReportFormat, ValidateArgs};
use crate::bootstrap::{builtin_tool_names, declared_tools, embedded_crews};

/// The folder of an installation whose settings cannot be read.
const USUAL_CONFIG_DIR: &str = "config";

/// Checks definitions; everything wrong is reported at once. Fails if anything is. What declared tools need besides their
/// files, the secrets, is `crewd doctor`'s matter.
pub(crate) fn validate(arguments: &ValidateArgs, overrides: BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let config_dir = match Settings::load_from_process(overrides) {
        Ok(settings) => settings.server.config_dir,
        // Crews that are named can be checked where the installation is not complete.
        Err(_) if !arguments.paths.is_empty() => PathBuf::from(USUAL_CONFIG_DIR),
        Err(error) => return Err(error.into()),
    };
    let declared = declared_tools(&config_dir, None)?;
    let mut known = builtin_tool_names()?;
    known.extend(declared.names);
    let mut sources = crew_sources(arguments, &config_dir)?;
    let mut report = ValidationReport::default();
    for source in &sources {
        report.diagnostics.extend(read_crew(source, &known).1.diagnostics);
    }
    if arguments.paths.is_empty() {
        report.diagnostics.extend(declared.report.diagnostics);
        sources.push(declared.source);
    }
    let mut out = std::io::stdout().lock();
    match arguments.format {
        ReportFormat::Json => write!(out, "{}", render_json(&report, arguments.strict))?,
        ReportFormat::Text => write!(out, "{}", render_text(&report, &sources))?,
    }
    Ok(if report.has_errors(arguments.strict) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn crew_sources(arguments: &ValidateArgs, config_dir: &Path) -> anyhow::Result<Vec<CrewSource>> {
    let paths = if arguments.paths.is_empty() {
        let folder = config_dir.join("crews");
        if !folder.is_dir() {
            return Ok(embedded_crews());
        }
        vec![folder]
    } else {
        arguments.paths.clone()
    };
    let mut sources = Vec::new();
    for path in &paths {
        let found = sources_at(path).with_context(|| format!("{} cannot be read", path.display()))?;
        if let Some(unreadable) = found.unreadable.first() {
            anyhow::bail!("{} cannot be read: {}", unreadable.path, unreadable.reason);
        }
        anyhow::ensure!(!found.sources.is_empty(), "there are no crews in {}", path.display());
        sources.extend(found.sources);
    }
    Ok(sources)
}
