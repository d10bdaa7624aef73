//! Paths that stay below a folder by their text alone.

use std::fmt;
use std::path::Path;

use super::error::JailError;
use super::names::name_problem;

/// Longest path in bytes.
const PATH_BYTES: usize = 1_024;
/// Most folders in each other.
const DEPTH: usize = 32;

/// A relative path with `/` between its parts, none of which is empty, `.` or `..`, or reads differently on another
/// system. The empty one is the folder itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JailPath(String);

impl JailPath {
    /// Reads the path of a file: `notes.md`, `./drafts/a.txt`.
    ///
    /// # Errors
    /// [`JailError::NotAllowed`] with the reason, which the author of the path may read.
    pub(crate) fn file(text: &str) -> Result<Self, JailError> {
        if text.ends_with('/') {
            return Err(refused("it ends with `/` and so names a folder"));
        }
        let path = Self::folder(text)?;
        if path.0.is_empty() { Err(refused("it names no file")) } else { Ok(path) }
    }

    /// Reads the path of a folder: `.`, `drafts`, `drafts/`.
    ///
    /// # Errors
    /// [`JailError::NotAllowed`] with the reason, which the author of the path may read.
    pub(crate) fn folder(text: &str) -> Result<Self, JailError> {
        if text.trim().is_empty() {
            return Err(refused("it is empty; the folder itself is `.`"));
        }
        if text.len() > PATH_BYTES {
            return Err(refused("it is longer than 1024 bytes"));
        }
        if text.starts_with(['/', '\\']) {
            return Err(refused("it is absolute; paths are relative to the folder of the run"));
        }
        if text.starts_with(['~', '$']) {
            return Err(refused("it begins with `~` or `$`, which are not expanded here"));
        }
        let mut parts = Vec::new();
        for part in text.strip_suffix('/').unwrap_or(text).split('/') {
            match part {
                "." => {}
                "" => return Err(refused("it has an empty part between two slashes")),
                ".." => return Err(refused("it holds `..`")),
                name => match name_problem(name) {
                    Some(problem) => return Err(refused(&format!("a part of it {problem}"))),
                    None => parts.push(name),
                },
            }
        }
        if parts.len() > DEPTH {
            return Err(refused("it has more than 32 parts"));
        }
        Ok(Self(parts.join("/")))
    }

    /// The folder the file lies in.
    pub(crate) fn parent(&self) -> Self {
        Self(self.0.rsplit_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default())
    }

    /// The last part.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// For the file system; the folder itself is `.`.
    pub(crate) fn as_path(&self) -> &Path {
        Path::new(self.as_str())
    }

    /// The text; the folder itself is `.`.
    pub(crate) fn as_str(&self) -> &str {
        if self.0.is_empty() { "." } else { &self.0 }
    }
}

impl fmt::Display for JailPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

fn refused(reason: &str) -> JailError {
    JailError::NotAllowed(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_paths_are_taken_and_tidied() {
        let cases = [
            ("notes.md", "notes.md"),
            ("./notes.md", "notes.md"),
            ("a/./b.txt", "a/b.txt"),
            (".gitignore", ".gitignore"),
            ("drafts/2026/问题 1.md", "drafts/2026/问题 1.md"),
            ("Büro/naïve café.txt", "Büro/naïve café.txt"),
            ("a..b/c...d.txt", "a..b/c...d.txt"),
            ("100% sure.txt", "100% sure.txt"),
            ("console.log", "console.log"),
            ("family 👩‍👩‍👧.txt", "family 👩‍👩‍👧.txt"),
            ("-rf", "-rf"),
            ("|rm & co; > x", "|rm & co; > x"),
        ];
        for (text, tidied) in cases {
            assert_eq!(JailPath::file(text).map(|path| path.0).ok().as_deref(), Some(tidied), "{text}");
        }
    }

    #[test]
    fn folders_may_end_with_a_slash_and_files_may_not() {
        for text in [".", "./"] {
            assert_eq!(JailPath::folder(text).unwrap().as_str(), ".");
            assert!(JailPath::file(text).is_err());
        }
        assert_eq!(JailPath::folder("a/b/").unwrap().as_str(), "a/b");
        assert!(JailPath::file("a/b/").is_err());
    }

    #[test]
    fn parent_and_name_split_the_path() {
        let path = JailPath::file("a/b/c.txt").unwrap();
        assert_eq!((path.parent().as_str(), path.name()), ("a/b", "c.txt"));
        let path = JailPath::file("c.txt").unwrap();
        assert_eq!((path.parent().as_str(), path.name()), (".", "c.txt"));
    }

    #[test]
    fn limits_are_exact() {
        let name = "n".repeat(255);
        assert!(JailPath::file(&name).is_ok());
        assert!(JailPath::file(&format!("{name}n")).is_err());
        assert!(JailPath::file(&["d"; 32].join("/")).is_ok());
        assert!(JailPath::file(&["d"; 33].join("/")).is_err());
        let long = [name.as_str(); 4].join("/");
        assert!(JailPath::file(&long).is_ok(), "{}", long.len());
        assert!(JailPath::file(&format!("{long}/n")).is_err());
    }
}
