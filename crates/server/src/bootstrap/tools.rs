//! The tools agents can call.

use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::ToolSet;
use crewd_infrastructure::files::JailedRunFiles;
use crewd_infrastructure::tools::BuiltinTools;
use crewd_settings::Settings;

/// The built-in tools. What they may read never holds the data folder: the database and the secrets lie there.
pub(crate) fn tools(settings: &Settings, files: &JailedRunFiles) -> anyhow::Result<Arc<dyn ToolSet>> {
    let shared = settings.files.tools_directory_read_root.as_deref();
    let private = [settings.server.data_dir.clone()];
    let tools = BuiltinTools::new(files.clone(), shared, &private)
        .context("the folder that tools may read cannot be used (APP_TOOLS_DIRECTORY_READ_ROOT)")?;
    Ok(Arc::new(tools))
}
