//! The tools agents can call.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::ToolSet;
use crewd_infrastructure::files::JailedRunFiles;
use crewd_infrastructure::tools::{BuiltinTools, HttpTools, JoinedTools};
use crewd_orchestration::definition::{DeclaredTools, ToolSurroundings, render_text};
use crewd_settings::Settings;

use super::tool_names;

/// The built-in tools and those that the operator declares. What file tools may read never holds the data folder: the
/// database and the secrets lie there.
pub(crate) fn tools(settings: &Settings, files: &JailedRunFiles) -> anyhow::Result<Arc<dyn ToolSet>> {
    let shared = settings.files.tools_directory_read_root.as_deref();
    let private = [settings.server.data_dir.clone()];
    let builtin = BuiltinTools::new(files.clone(), shared, &private)
        .context("the folder that tools may read cannot be used (APP_TOOLS_DIRECTORY_READ_ROOT)")?;
    let secrets = settings.tools.secrets.keys().cloned().collect();
    let declared = declared_tools(&settings.server.config_dir, Some(secrets))?;
    if declared.report.has_errors(false) {
        anyhow::bail!("the declared tools cannot be used\n{}", render_text(&declared.report, &[declared.source]));
    }
    for found in &declared.report.diagnostics {
        let (path, line, column) = (&found.path, found.line, found.column);
        tracing::warn!(path, line, column, rule = found.rule, "declared tool: {}", found.message);
    }
    let http = HttpTools::new(declared.tools, &settings.tools.secrets).context("the declared tools cannot be used")?;
    Ok(Arc::new(JoinedTools::new(vec![Arc::new(builtin), Arc::new(http)])))
}

/// What the files of a configuration folder declare. `secrets` are the settings that headers may name, where they are
/// known.
pub(crate) fn declared_tools(config_dir: &Path, secrets: Option<BTreeSet<String>>) -> anyhow::Result<DeclaredTools> {
    let around = ToolSurroundings { builtin: builtin_tool_names()?, secrets };
    Ok(crewd_orchestration::definition::declared_tools(config_dir, &around))
}

/// The names of the tools that come with crewd.
pub(crate) fn builtin_tool_names() -> anyhow::Result<BTreeSet<String>> {
    Ok(tool_names(&BuiltinTools::new(JailedRunFiles::new(Path::new(".")), None, &[])?))
}
