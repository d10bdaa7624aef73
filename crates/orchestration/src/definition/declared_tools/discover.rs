//! `tools.yaml` and `tools/*.yaml`, also with the ending `.yml`.

use std::{fs, io, path::Path};

use crewd_application::ports::{CrewSource, SourceFile};
use crewd_domain::crews::{Diagnostic, Problem};

use super::reader::{DeclaredTools, ToolSurroundings, read_declared_tools};
use crate::definition::{discover::read_file, rules::UNREADABLE};

/// The tools declared in a configuration folder. None are declared where there are no such files.
#[must_use]
pub fn declared_tools(config_dir: &Path, around: &ToolSurroundings) -> DeclaredTools {
    let mut source = CrewSource { name: "tools".to_owned(), files: Vec::new() };
    let mut unreadable = Vec::new();
    for name in ["tools.yaml", "tools.yml"] {
        take(&config_dir.join(name), &mut source, &mut unreadable);
    }
    let folder = config_dir.join("tools");
    match names_of(&folder) {
        Ok(names) => names.iter().for_each(|name| take(&folder.join(name), &mut source, &mut unreadable)),
        Err(error) => unreadable.push(diagnostic(&folder, &error)),
    }
    let mut declared = read_declared_tools(source, around);
    declared.report.diagnostics.extend(unreadable);
    declared
}

fn names_of(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
        // Editors and mounted configuration leave hidden files.
        if is_yaml && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn take(file: &Path, source: &mut CrewSource, unreadable: &mut Vec<Diagnostic>) {
    match read_file(file) {
        Ok(content) => source.files.push(SourceFile { path: shown(file), content }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => unreadable.push(diagnostic(file, &error)),
    }
}

fn diagnostic(path: &Path, error: &io::Error) -> Diagnostic {
    let problem = Problem::error("", UNREADABLE, format!("it cannot be read: {error}"));
    Diagnostic { path: shown(path), ..Diagnostic::from(problem) }
}

fn shown(path: &Path) -> String {
    let path = path.to_string_lossy();
    path.strip_prefix("./").unwrap_or(&path).to_owned()
}
