//! A folder whose contents can be named and nothing else.

use std::io;
use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};

use super::error::JailError;
use super::path::JailPath;

/// An open folder. Links inside are followed as long as they stay inside.
#[derive(Debug)]
pub(crate) struct Jail {
    folder: Dir,
    /// Folders inside that stay closed, relative, in lower case so that a file system without case is covered.
    private: Vec<PathBuf>,
}

impl Jail {
    /// Around an open folder.
    pub(crate) const fn new(folder: Dir) -> Self {
        Self { folder, private: Vec::new() }
    }

    /// Opens a folder of the machine; the folders in `private`, given relative to it, stay closed.
    pub(crate) fn open_ambient(path: &Path, private: &[PathBuf]) -> io::Result<Self> {
        let private = private.iter().map(|inside| lower_case(inside)).collect();
        Ok(Self { folder: Dir::open_ambient_dir(path, ambient_authority())?, private })
    }

    /// The folder.
    pub(crate) const fn folder(&self) -> &Dir {
        &self.folder
    }

    /// Whether a path, relative and without links, lies in a private folder.
    pub(crate) fn is_private(&self, path: &Path) -> bool {
        let path = lower_case(path);
        self.private.iter().any(|private| path.starts_with(private))
    }

    /// Opens a file for reading and tells its size.
    pub(crate) fn open_file(&self, path: &JailPath) -> Result<(File, u64), JailError> {
        let path = self.real_path(path)?;
        // Looked at before it is opened: opening a pipe would wait for its other end.
        if !self.folder.metadata(&path)?.is_file() {
            return Err(JailError::NotAFile);
        }
        let file = self.folder.open(&path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() { Ok((file, metadata.len())) } else { Err(JailError::NotAFile) }
    }

    /// Opens a folder and tells its path without links.
    pub(crate) fn open_folder(&self, path: &JailPath) -> Result<(Dir, PathBuf), JailError> {
        let path = self.real_path(path)?;
        if !self.folder.metadata(&path)?.is_dir() {
            return Err(JailError::NotAFolder);
        }
        Ok((self.folder.open_dir(&path)?, path))
    }

    /// Resolves links where private folders are to be kept closed. Nobody whom they are closed to can change links
    /// here, so what was resolved is still true when it is opened.
    fn real_path(&self, path: &JailPath) -> Result<PathBuf, JailError> {
        if self.private.is_empty() {
            return Ok(path.as_path().to_owned());
        }
        let real = self.folder.canonicalize(path.as_path())?;
        if self.is_private(&real) {
            return Err(JailError::NotAllowed("it lies in a folder that is closed to tools".to_owned()));
        }
        Ok(if real.as_os_str().is_empty() { PathBuf::from(".") } else { real })
    }
}

fn lower_case(path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.map(|part| part.as_os_str().to_string_lossy().to_lowercase()).collect()
}
