//! Crew definitions: a folder that is watched, or the crews inside the binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crewd_application::ports::{CrewSource, SourceFile, ToolSet};
use crewd_orchestration::definition::{CatalogWatcher, FileCrewCatalog};
use rust_embed::Embed;

/// The shipped crews.
#[derive(Embed)]
#[folder = "../../config/crews"]
struct ShippedCrews;

/// The shipped crews as sources.
pub(crate) fn embedded_crews() -> Vec<CrewSource> {
    let mut crews: Vec<CrewSource> = Vec::new();
    for path in ShippedCrews::iter() {
        let Some(file) = ShippedCrews::get(&path) else { continue };
        let Some((name, _)) = path.split_once('/') else { continue };
        let source = SourceFile { path: path.to_string(), content: file.data.into_owned() };
        match crews.iter_mut().find(|crew| crew.name == name) {
            Some(crew) => crew.files.push(source),
            None => crews.push(CrewSource { name: name.to_owned(), files: vec![source] }),
        }
    }
    crews
}

/// The names that definitions may use.
pub(crate) fn tool_names(tools: &dyn ToolSet) -> BTreeSet<String> {
    tools.descriptors().into_iter().map(|tool| tool.name).collect()
}

/// The crews of `<config_dir>/crews`, kept up to date while the watcher lives; without that folder the shipped ones.
pub(crate) fn crew_catalog(config_dir: &Path, tools: &dyn ToolSet) -> (Arc<FileCrewCatalog>, Option<CatalogWatcher>) {
    let folder = config_dir.join("crews");
    if !folder.is_dir() {
        return (Arc::new(FileCrewCatalog::of_sources(embedded_crews(), tool_names(tools))), None);
    }
    let catalog = Arc::new(FileCrewCatalog::of_folder(folder, tool_names(tools)));
    let watcher = CatalogWatcher::start(&catalog, || tracing::info!("crew definitions reloaded"));
    let watcher = watcher.inspect_err(|error| tracing::warn!(error = %error, "changes of definitions will not be seen")).ok();
    (catalog, watcher)
}
