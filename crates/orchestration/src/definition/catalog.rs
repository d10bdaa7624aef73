//! All crews that can be run, as one snapshot that is swapped whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use crewd_application::{
    ports::{CatalogEntry, CrewCatalog, CrewSource},
    sha256_hex,
};
use crewd_domain::crews::{CrewDefinition, Diagnostic, Problem, Severity, ValidationReport};

use super::{
    discover::{Discovery, Unreadable, discover},
    reader::read_crew,
    rules::UNREADABLE,
};

/// Crews of a folder, or crews that came with the program.
///
/// Readers take the current snapshot and never wait. A reload reads everything anew; a crew that is broken
/// keeps its last good version, a crew whose folder is gone goes.
pub struct FileCrewCatalog {
    origin: Origin,
    known_tools: BTreeSet<String>,
    snapshot: ArcSwap<Snapshot>,
    reloading: Mutex<()>,
}

enum Origin {
    Folder(PathBuf),
    Given(Vec<CrewSource>),
}

#[derive(Default)]
struct Snapshot {
    entries: BTreeMap<String, CatalogEntry>,
    report: Arc<ValidationReport>,
}

impl FileCrewCatalog {
    /// The crews of a folder such as `config/crews`, read at once. Tools not in `known_tools` are errors.
    ///
    /// Nothing here fails: a broken crew is missing, and [`Self::report`] and the log say why.
    #[must_use]
    pub fn of_folder(folder: impl Into<PathBuf>, known_tools: BTreeSet<String>) -> Self {
        Self::of(Origin::Folder(folder.into()), known_tools)
    }

    /// Crews whose files are given, such as those compiled into the program.
    #[must_use]
    pub fn of_sources(sources: Vec<CrewSource>, known_tools: BTreeSet<String>) -> Self {
        Self::of(Origin::Given(sources), known_tools)
    }

    fn of(origin: Origin, known_tools: BTreeSet<String>) -> Self {
        let catalog = Self { origin, known_tools, snapshot: ArcSwap::default(), reloading: Mutex::new(()) };
        catalog.reload();
        catalog
    }

    /// The folder the crews come from, if they come from one.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Folder(folder) => Some(folder),
            Origin::Given(_) => None,
        }
    }

    /// Everything the last reload found wrong, in all crews.
    #[must_use]
    pub fn report(&self) -> Arc<ValidationReport> {
        Arc::clone(&self.snapshot.load().report)
    }

    /// Reads all crews anew and swaps them in. Problems go to the log and to [`Self::report`].
    pub fn reload(&self) {
        // One at a time, so that an older reading never replaces a newer one.
        let _one = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match &self.origin {
            Origin::Given(sources) => Discovery { sources: sources.clone(), unreadable: Vec::new() },
            Origin::Folder(folder) => match discover(folder) {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(folder = %folder.display(), %error, "the folder of crews cannot be read; the crews stay as they are");
                    return;
                }
            },
        };
        let next = self.next_snapshot(&found);
        log_report(&next.report);
        self.snapshot.store(Arc::new(next));
    }

    fn next_snapshot(&self, found: &Discovery) -> Snapshot {
        let current = self.snapshot.load();
        let mut next = Snapshot::default();
        let mut diagnostics = Vec::new();
        for source in &found.sources {
            let (entry, report) = self.read(source, false);
            diagnostics.extend(report.diagnostics);
            next.keep(&source.name, entry, &current);
        }
        for crew in &found.unreadable {
            diagnostics.push(unreadable(crew));
            next.keep(&crew.name, None, &current);
        }
        next.report = Arc::new(ValidationReport { diagnostics });
        next
    }
}

impl Snapshot {
    /// The new entry, else the last good one.
    fn keep(&mut self, name: &str, entry: Option<CatalogEntry>, current: &Self) {
        let last = || {
            let last = current.entries.get(name).cloned();
            if let Some(last) = &last {
                tracing::warn!(crew = name, version = %last.version, "the crew is broken; its last good version stays in use");
            }
            last
        };
        if let Some(entry) = entry.or_else(last) {
            self.entries.insert(name.to_owned(), entry);
        }
    }
}

impl CrewCatalog for FileCrewCatalog {
    fn list(&self) -> Vec<CatalogEntry> {
        self.snapshot.load().entries.values().cloned().collect()
    }

    fn get(&self, name: &str) -> Option<CatalogEntry> {
        self.snapshot.load().entries.get(name).cloned()
    }

    fn read(&self, source: &CrewSource, strict: bool) -> (Option<CatalogEntry>, ValidationReport) {
        let (definition, mut report) = read_crew(source, &self.known_tools);
        if strict {
            report.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Error);
        }
        let accepted = definition.filter(|_| !report.has_errors(strict));
        let entry = accepted.map(|definition| {
            let canonical = definition.canonical_json();
            entry_of(definition, &canonical, report.clone())
        });
        (entry, report)
    }

    fn restore(&self, canonical: &str) -> Result<CatalogEntry, String> {
        let definition: CrewDefinition = serde_json::from_str(canonical).map_err(|error| error.to_string())?;
        // The stored text stays what it was, so that the version does not change with this program's fields.
        Ok(entry_of(definition, canonical, ValidationReport::default()))
    }
}

fn entry_of(definition: CrewDefinition, canonical: &str, report: ValidationReport) -> CatalogEntry {
    CatalogEntry {
        definition: Arc::new(definition),
        version: format!("sha256:{}", sha256_hex(canonical)).into(),
        canonical: canonical.into(),
        report: Arc::new(report),
    }
}

fn unreadable(crew: &Unreadable) -> Diagnostic {
    let message = format!("the file cannot be read: {}", crew.reason);
    Diagnostic { path: crew.path.clone(), ..Diagnostic::from(Problem::error("", UNREADABLE, message)) }
}

fn log_report(report: &ValidationReport) {
    for found in &report.diagnostics {
        let (path, line, column) = (&found.path, found.line, found.column);
        let (rule, message, suggestion) = (&found.rule, &found.message, found.suggestion.as_deref());
        match found.severity {
            Severity::Error => tracing::error!(path, line, column, rule, suggestion, "definition: {message}"),
            Severity::Warning => tracing::warn!(path, line, column, rule, suggestion, "definition: {message}"),
        }
    }
}
