//! Crew definitions that lie in files.

use std::sync::Arc;

use crewd_domain::crews::{CrewDefinition, ValidationReport};

/// A file of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Where it is, as diagnostics name it, such as `research/agents.yaml`.
    pub path: String,
    /// What is in it; not necessarily UTF-8.
    pub content: Vec<u8>,
}

/// The files of one crew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrewSource {
    /// The crew's name: that of its folder.
    pub name: String,
    /// Its files.
    pub files: Vec<SourceFile>,
}

/// A crew that can be run.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// The definition.
    pub definition: Arc<CrewDefinition>,
    /// `sha256:` and hexadecimal digits of [`CatalogEntry::canonical`].
    pub version: Arc<str>,
    /// Canonical JSON of the definition: what is pinned into runs.
    pub canonical: Arc<str>,
    /// Warnings that came up.
    pub report: Arc<ValidationReport>,
}

/// Reads definitions. An entry never changes; a changed file gives a new entry.
pub trait CrewCatalog: Send + Sync {
    /// All crews, by name.
    fn list(&self) -> Vec<CatalogEntry>;

    /// The crew with a name.
    fn get(&self, name: &str) -> Option<CatalogEntry>;

    /// Reads sources without keeping anything. The entry is there unless the report has errors; `strict` makes
    /// errors of warnings.
    fn read(&self, source: &CrewSource, strict: bool) -> (Option<CatalogEntry>, ValidationReport);

    /// Makes an entry of a stored definition (canonical JSON).
    ///
    /// # Errors
    /// A text for the log if it cannot be read.
    fn restore(&self, canonical: &str) -> Result<CatalogEntry, String>;
}
