//! `crewd validate [paths]`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use crewd_application::ports::CrewSource;
use crewd_domain::crews::ValidationReport;
use crewd_infrastructure::files::JailedRunFiles;
use crewd_infrastructure::tools::BuiltinTools;
use crewd_orchestration::definition::{read_crew, render_json, render_text, sources_at};
use crewd_settings::Settings;

use crate::args::{ReportFormat, ValidateArgs};
use crate::bootstrap::{embedded_crews, tool_names};

/// Checks definitions; everything wrong is reported at once. Fails if anything is.
pub(crate) fn validate(arguments: &ValidateArgs, overrides: BTreeMap<String, String>) -> anyhow::Result<ExitCode> {
    let sources = sources(arguments, overrides)?;
    let tools = BuiltinTools::new(JailedRunFiles::new(Path::new(".")), None, &[])?;
    let known = tool_names(&tools);
    let mut report = ValidationReport::default();
    for source in &sources {
        report.diagnostics.extend(read_crew(source, &known).1.diagnostics);
    }
    let mut out = std::io::stdout().lock();
    match arguments.format {
        ReportFormat::Json => write!(out, "{}", render_json(&report, arguments.strict))?,
        ReportFormat::Text => write!(out, "{}", render_text(&report, &sources))?,
    }
    Ok(if report.has_errors(arguments.strict) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn sources(arguments: &ValidateArgs, overrides: BTreeMap<String, String>) -> anyhow::Result<Vec<CrewSource>> {
    let paths = if arguments.paths.is_empty() {
        let folder = Settings::load_from_process(overrides)?.server.config_dir.join("crews");
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
