//! Definitions that a test writes down.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crewd_domain::crews::{CrewDefinition, Problem, ValidationReport};

use crate::ports::{CatalogEntry, CrewCatalog, CrewSource};
use crate::sha256_hex;

/// Holds the crews a test puts into it. A source is read as the JSON of a definition in its first file; anything else
/// has one error.
#[derive(Debug, Default)]
pub struct InMemoryCatalog {
    crews: RwLock<BTreeMap<String, CatalogEntry>>,
}

impl InMemoryCatalog {
    /// Adds a crew, or replaces the one of its name, as a changed file would.
    pub fn put(&self, definition: CrewDefinition) -> CatalogEntry {
        let entry = entry_of(definition);
        let mut crews = self.crews.write().unwrap_or_else(PoisonError::into_inner);
        crews.insert(entry.definition.name.clone(), entry.clone());
        entry
    }

    /// Takes a crew away, as a deleted file would.
    pub fn remove(&self, name: &str) {
        self.crews.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

impl CrewCatalog for InMemoryCatalog {
    fn list(&self) -> Vec<CatalogEntry> {
        self.crews.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn get(&self, name: &str) -> Option<CatalogEntry> {
        self.crews.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn read(&self, source: &CrewSource, _strict: bool) -> (Option<CatalogEntry>, ValidationReport) {
        let content = source.files.first().map(|file| file.content.as_slice()).unwrap_or_default();
        match serde_json::from_slice::<CrewDefinition>(content) {
            Ok(definition) => {
                let entry = entry_of(CrewDefinition { name: source.name.clone(), ..definition });
                (Some(entry), ValidationReport::default())
            }
            Err(error) => (None, [Problem::error("crew", "syntax", error.to_string())].into_iter().collect()),
        }
    }

    fn restore(&self, canonical: &str) -> Result<CatalogEntry, String> {
        serde_json::from_str(canonical).map(entry_of).map_err(|error| error.to_string())
    }
}

fn entry_of(definition: CrewDefinition) -> CatalogEntry {
    let canonical = definition.canonical_json();
    CatalogEntry {
        definition: Arc::new(definition),
        version: format!("sha256:{}", sha256_hex(&canonical)).into(),
        canonical: canonical.into(),
        report: Arc::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SourceFile;

    #[test]
    fn what_is_put_can_be_got_restored_and_read_again() {
        let catalog = InMemoryCatalog::default();
        let entry = catalog.put(CrewDefinition::new("poets"));
        assert_eq!(catalog.get("poets").map(|entry| entry.version), Some(entry.version.clone()));
        assert_eq!(catalog.restore(&entry.canonical).map(|entry| entry.version), Ok(entry.version.clone()));
        let file = |content: &str| SourceFile { path: "crew.json".to_owned(), content: content.as_bytes().to_vec() };
        let source = |content: &str| CrewSource { name: "poets".to_owned(), files: vec![file(content)] };
        let (read, report) = catalog.read(&source(&entry.canonical), false);
        assert_eq!(read.map(|entry| entry.version), Some(entry.version));
        assert!(report.diagnostics.is_empty());
        let (nothing, report) = catalog.read(&source("no"), false);
        assert!(nothing.is_none() && report.diagnostics.len() == 1);
        catalog.remove("poets");
        assert!(catalog.get("poets").is_none() && catalog.list().is_empty());
    }
}
