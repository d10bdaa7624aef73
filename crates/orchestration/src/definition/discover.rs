//! Finds crews on disk. Reads a fixed set of places, never more than one file's budget of a file.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use crewd_application::ports::{CrewSource, SourceFile};

use super::{
    layout::{Part, part_of},
    yaml::MAX_FILE_BYTES,
};

/// Places below a crew's folder that may hold its files.
const PLACES: &[&str] = &["", "agents", "tasks", "config", "config/agents", "config/tasks"];

/// What a folder holds.
#[derive(Debug, Default)]
pub struct Discovery {
    /// The crews, by name.
    pub sources: Vec<CrewSource>,
    /// Crews whose files could not be read: name, path and the system's words.
    pub unreadable: Vec<Unreadable>,
}

/// A crew that is there but could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Name of the crew.
    pub name: String,
    /// The file or folder.
    pub path: String,
    /// Why, in the system's words.
    pub reason: String,
}

/// All crews of a folder of crews, such as `config/crews`: one per subfolder with definition files.
///
/// Files are named relative to the folder, as in `research/agents.yaml`.
///
/// # Errors
/// If the folder itself cannot be listed.
pub fn discover(folder: &Path) -> io::Result<Discovery> {
    crews_below(folder, "")
}

/// The crews a path on the command line stands for: a folder of crews, a crew's folder, or one of its files.
///
/// Files are named the way the path was written, so that an editor can open them.
///
/// # Errors
/// If the path does not exist or cannot be read.
pub fn sources_at(path: &Path) -> io::Result<Discovery> {
    let folder = if fs::metadata(path)?.is_dir() { path.to_owned() } else { crew_folder(path) };
    let shown = folder.to_string_lossy();
    let prefix = shown.trim_end_matches('/');
    let mut found = Discovery::default();
    collect(&folder, &name_of(&folder), prefix, &mut found);
    if found.sources.is_empty() && found.unreadable.is_empty() {
        found = crews_below(&folder, prefix)?;
    }
    Ok(found)
}

fn crews_below(folder: &Path, prefix: &str) -> io::Result<Discovery> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Links are followed: mounted configuration is often a tree of links.
        if !name.starts_with('.') && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
            names.push(name);
        }
    }
    names.sort();
    let mut found = Discovery::default();
    for name in names {
        collect(&folder.join(&name), &name, &joined(prefix, &name), &mut found);
    }
    Ok(found)
}

/// Adds the crew of one folder, if it is one.
fn collect(folder: &Path, name: &str, prefix: &str, found: &mut Discovery) {
    let mut files = Vec::new();
    for place in PLACES {
        if let Err((path, reason)) = read_place(folder, place, &joined(prefix, place), &mut files) {
            found.unreadable.push(Unreadable { name: name.to_owned(), path, reason: reason.to_string() });
            return;
        }
    }
    if !files.is_empty() {
        found.sources.push(CrewSource { name: name.to_owned(), files });
    }
}

fn read_place(crew: &Path, place: &str, shown: &str, files: &mut Vec<SourceFile>) -> Result<(), (String, io::Error)> {
    let folder = crew.join(place);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        Err(error) => return Err((shown.to_owned(), error)),
    };
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names {
        let path = joined(shown, &name);
        let file = folder.join(&name);
        if !belongs(&path, place) || !fs::metadata(&file).is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        match read_file(&file) {
            Ok(content) => files.push(SourceFile { path, content }),
            // It went away between listing and reading.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err((path, error)),
        }
    }
    Ok(())
}

/// Single agents and tasks count only below `agents/` and `tasks/`, also when the crew itself is called so.
fn belongs(path: &str, place: &str) -> bool {
    match part_of(path) {
        None => false,
        Some(Part::AgentFile(_) | Part::TaskFile(_)) => place.ends_with("agents") || place.ends_with("tasks"),
        Some(_) => true,
    }
}

/// One byte more than allowed is enough for the reader to refuse the file.
pub(super) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let limit = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

/// The crew's folder of one of its files, over `agents/`, `tasks/` and `config/`.
fn crew_folder(file: &Path) -> PathBuf {
    let mut folder = parent(file);
    if folder.file_name().is_some_and(|name| name == "agents" || name == "tasks") {
        folder = parent(&folder);
    }
    if folder.file_name().is_some_and(|name| name == "config") {
        folder = parent(&folder);
    }
    folder
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn name_of(folder: &Path) -> String {
    let named = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    named(folder).or_else(|| named(&fs::canonicalize(folder).ok()?)).unwrap_or_else(|| "crew".to_owned())
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() || name.is_empty() { format!("{prefix}{name}") } else { format!("{prefix}/{name}") }
}
