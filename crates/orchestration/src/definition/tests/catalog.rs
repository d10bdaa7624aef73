//! The catalogue: good crews in, broken ones kept as they were, changes seen.

use std::{
    fs,
    path::Path,
    sync::{Arc, mpsc::channel},
    time::Duration,
};

use crewd_application::ports::CrewCatalog;

use super::{AGENTS, TASKS, source, tools};
use crate::definition::{CatalogWatcher, FileCrewCatalog, WatchError, sources_at};

fn write(folder: &Path, crew: &str, file: &str, text: &str) {
    let path = folder.join(crew).join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", "agents.yaml", AGENTS);
    write(folder.path(), "one", "tasks.yaml", TASKS);
    folder
}

fn names(catalog: &FileCrewCatalog) -> Vec<String> {
    catalog.list().iter().map(|entry| entry.definition.name.clone()).collect()
}

#[test]
fn entries_carry_version_and_canonical_text() {
    let folder = folder();
    let catalog = FileCrewCatalog::of_folder(folder.path(), tools());
    let entry = catalog.get("one").unwrap();
    assert_eq!(&*entry.canonical, entry.definition.canonical_json());
    assert!(entry.version.starts_with("sha256:") && entry.version.len() == 71);
    assert!(catalog.get("two").is_none());
    let restored = catalog.restore(&entry.canonical).unwrap();
    assert_eq!((restored.version, restored.definition), (entry.version, entry.definition));
    assert!(catalog.restore("{").is_err());
}

#[test]
fn a_broken_crew_keeps_its_last_good_version() {
    let folder = folder();
    let catalog = FileCrewCatalog::of_folder(folder.path(), tools());
    let good = catalog.get("one").unwrap().version;
    write(folder.path(), "one", "tasks.yaml", "find: [");
    write(folder.path(), "bad", "agents.yaml", "a: 3");
    write(folder.path(), "two", "crew.yaml", &format!("agents:\n{}tasks:\n{}", indent(AGENTS), indent(TASKS)));
    catalog.reload();
    assert_eq!(names(&catalog), ["one", "two"]);
    assert_eq!(catalog.get("one").unwrap().version, good);
    let report = catalog.report();
    assert!(report.diagnostics.iter().any(|found| found.path == "one/tasks.yaml" && found.rule == "yaml_syntax"));
    write(folder.path(), "one", "tasks.yaml", &TASKS.replace("Text", "Prose"));
    fs::remove_dir_all(folder.path().join("two")).unwrap();
    fs::remove_dir_all(folder.path().join("bad")).unwrap();
    catalog.reload();
    assert_eq!(names(&catalog), ["one"]);
    assert_ne!(catalog.get("one").unwrap().version, good);
    assert!(catalog.report().diagnostics.is_empty());
}

#[test]
fn a_folder_that_went_away_changes_nothing() {
    let folder = folder();
    let catalog = FileCrewCatalog::of_folder(folder.path(), tools());
    fs::remove_dir_all(folder.path()).unwrap();
    catalog.reload();
    assert_eq!(names(&catalog), ["one"]);
    assert!(names(&FileCrewCatalog::of_folder("/nonexistent/crews", tools())).is_empty());
}

#[test]
fn given_sources_are_a_catalogue_too() {
    let catalog = FileCrewCatalog::of_sources(vec![source(&[("crew/agents.yaml", AGENTS), ("crew/tasks.yaml", TASKS)])], tools());
    assert_eq!(names(&catalog), ["crew"]);
    assert!(matches!(CatalogWatcher::start(&Arc::new(catalog), || {}), Err(WatchError::NoFolder)));
}

#[test]
fn strict_reading_makes_errors_of_warnings() {
    let catalog = FileCrewCatalog::of_sources(Vec::new(), tools());
    let odd = source(&[("agents.yaml", &format!("{AGENTS}  thought: x\n")), ("tasks.yaml", TASKS)]);
    let (entry, report) = catalog.read(&odd, false);
    assert!(entry.is_some_and(|entry| entry.report.warning_count() == 1) && !report.has_errors(false));
    let (entry, report) = catalog.read(&odd, true);
    assert!(entry.is_none() && report.has_errors(false));
}

#[test]
fn changes_are_seen_while_running() {
    let folder = folder();
    let catalog = Arc::new(FileCrewCatalog::of_folder(folder.path(), tools()));
    let (reloaded, reloads) = channel();
    let watcher = CatalogWatcher::start(&catalog, move || {
        let _ = reloaded.send(());
    })
    .unwrap();
    let wait_for = |done: &dyn Fn() -> bool| {
        while !done() {
            reloads.recv_timeout(Duration::from_secs(20)).unwrap();
        }
    };
    write(folder.path(), "two", "agents.yaml", AGENTS);
    write(folder.path(), "two", "tasks.yaml", TASKS);
    wait_for(&|| names(&catalog) == ["one", "two"]);
    let version = catalog.get("two").unwrap().version;
    write(folder.path(), "two", "tasks.yaml", &TASKS.replace("Text", "Prose"));
    wait_for(&|| catalog.get("two").unwrap().version != version);
    fs::remove_dir_all(folder.path().join("one")).unwrap();
    wait_for(&|| names(&catalog) == ["two"]);
    drop(watcher);
}

#[test]
fn a_path_may_be_a_file_a_crew_or_a_folder_of_crews() {
    let folder = folder();
    write(folder.path(), "two", "config/agents.yaml", AGENTS);
    write(folder.path(), "two", "tasks/find.yaml", "description: D");
    write(folder.path(), ".git", "agents.yaml", AGENTS);
    fs::write(folder.path().join("notes.txt"), "x").unwrap();
    let found = |below: &str| {
        let discovery = sources_at(&folder.path().join(below)).unwrap();
        let names: Vec<_> = discovery.sources.iter().map(|source| (source.name.clone(), source.files.len())).collect();
        (names, discovery.sources[0].files[0].path.clone())
    };
    let two = vec![("two".to_owned(), 2)];
    assert_eq!(found("").0, [("one".to_owned(), 2), ("two".to_owned(), 2)]);
    assert_eq!(found("one").1, folder.path().join("one/agents.yaml").to_string_lossy());
    assert_eq!(found("two").0, two);
    assert_eq!(found("two/config/agents.yaml").0, two);
    assert_eq!(found("two/tasks/find.yaml").0, two);
    assert!(sources_at(&folder.path().join("three")).is_err());
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_pipes_are_not_opened() {
    let folder = folder();
    fs::create_dir(folder.path().join("linked")).unwrap();
    for file in ["agents.yaml", "tasks.yaml"] {
        std::os::unix::fs::symlink(folder.path().join("one").join(file), folder.path().join("linked").join(file)).unwrap();
    }
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("one/crew.yaml")).unwrap();
    let catalog = FileCrewCatalog::of_folder(folder.path(), tools());
    assert_eq!(names(&catalog), ["linked", "one"]);
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
