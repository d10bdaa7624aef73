//! The tree as files.

use std::path::{Path, PathBuf};

use crate::scrub::{self, Scrubbed};

/// Root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_path_buf()
}

/// One source file.
pub(crate) struct SourceFile {
    /// Path from the root of the workspace, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// Without comments and the contents of literals.
    pub(crate) code: Scrubbed,
}

/// Members of the workspace: folder and the name of the crate without its prefix.
pub(crate) fn members() -> Vec<(String, String)> {
    let named = [("migrations", "migrations"), ("tests", "tests"), ("tests/services", "test-services")];
    let mut members: Vec<(String, String)> = named.map(|(folder, name)| (folder.to_owned(), name.to_owned())).into();
    for entry in std::fs::read_dir(root().join("crates")).expect("crates/ is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        members.push((format!("crates/{name}"), name));
    }
    members.sort();
    members
}

/// Every Rust file of a folder of the workspace.
pub(crate) fn rust_files(folder: &str) -> Vec<SourceFile> {
    files(folder, &["rs"]).into_iter().map(|(path, text)| SourceFile { code: scrub::scrub(&text), path, text }).collect()
}

/// Every Rust file of the workspace.
pub(crate) fn all_rust_files() -> Vec<SourceFile> {
    members().iter().flat_map(|(folder, _)| rust_files(folder)).collect()
}

/// Path and text of every file below `folder` with one of these endings.
pub(crate) fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            if path.is_dir() {
                if !hidden && entry.file_name() != "target" {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
                let name = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push((name, std::fs::read_to_string(&path).unwrap_or_default()));
            }
        }
    }
    found.sort();
    found
}

/// Panics with the rule and everything that breaks it.
pub(crate) fn judge(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}\n  {}", offences.join("\n  "));
}
