//! Writing a file whole or not at all.

use std::io::{self, Read, Write};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use cap_std::fs::{Dir, OpenOptions};

use super::blocking::Stop;
use super::error::JailError;
use super::jail::Jail;
use super::path::JailPath;

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// Put the new content in its place.
    Replace,
    /// Leave it, and fail unless it has this very content: then a repeated call changes nothing and fails nothing.
    CreateOnly,
}

/// How many names of a temporary file are tried: those that killed processes left behind are in the way.
const TEMPORARY_NAMES: usize = 100_000;

/// Makes the names of temporary files in this process differ.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

impl Jail {
    /// Writes a file: a reader sees the old content or the new, never half, also after a power cut. The content goes to
    /// a file in `scratch` first, a folder of the same file system. With `create_folder`, missing folders are made.
    pub(crate) fn write(
        &self,
        scratch: &Dir,
        path: &JailPath,
        content: &[u8],
        (mode, create_folder): (WriteMode, bool),
        stop: &Stop,
    ) -> Result<(), JailError> {
        stop.check()?;
        let parent = path.parent();
        if create_folder {
            self.folder().create_dir_all(parent.as_path()).map_err(file_as_folder)?;
        }
        let folder = self.folder().open_dir(parent.as_path())?;
        refuse_special(&folder, path.name())?;
        let temporary = Temporary::create(scratch, content)?;
        stop.check()?;
        match mode {
            WriteMode::Replace => Ok(temporary.replace(&folder, path.name())?),
            WriteMode::CreateOnly => match temporary.link(&folder, path.name()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && has_content(&folder, path.name(), content)? => {
                    Ok(())
                }
                linked => Ok(linked?),
            },
        }
    }
}

/// A file stands where a folder should be; the system says "exists" there.
fn file_as_folder(error: io::Error) -> JailError {
    if error.kind() == io::ErrorKind::AlreadyExists { JailError::NotAFolder } else { error.into() }
}

/// Only files are replaced. A link would be replaced, too, not followed; but who put it there meant something by it.
fn refuse_special(folder: &Dir, name: &str) -> Result<(), JailError> {
    match folder.symlink_metadata(name) {
        Ok(metadata) if metadata.is_symlink() => Err(JailError::NotAllowed("it is a link".to_owned())),
        Ok(metadata) if !metadata.is_file() => Err(JailError::NotAFile),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn has_content(folder: &Dir, name: &str, content: &[u8]) -> Result<bool, JailError> {
    let file = folder.open(name)?;
    let expected = u64::try_from(content.len()).unwrap_or(u64::MAX);
    if file.metadata()?.len() != expected {
        return Ok(false);
    }
    let mut found = Vec::new();
    file.take(expected.saturating_add(1)).read_to_end(&mut found)?;
    Ok(found == content)
}

/// A file with the new content that is not in its place yet. Dropping it removes it.
struct Temporary<'a> {
    scratch: &'a Dir,
    name: String,
    is_moved: bool,
}

impl<'a> Temporary<'a> {
    fn create(scratch: &'a Dir, content: &[u8]) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        for _ in 0..TEMPORARY_NAMES {
            let name = format!("{}-{}", process::id(), NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed));
            match scratch.open_with(&name, &options) {
                Ok(mut file) => {
                    let temporary = Self { scratch, name, is_moved: false };
                    file.write_all(content)?;
                    file.sync_all()?;
                    return Ok(temporary);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Moves it into its place; what was there is gone at the same moment.
    fn replace(mut self, folder: &Dir, name: &str) -> io::Result<()> {
        self.scratch.rename(&self.name, folder, name)?;
        self.is_moved = true;
        Ok(())
    }

    /// Puts it into its place unless something is there: a link of the same file does both in one step.
    fn link(self, folder: &Dir, name: &str) -> io::Result<()> {
        self.scratch.hard_link(&self.name, folder, name)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_moved
            && let Err(error) = self.scratch.remove_file(&self.name)
        {
            tracing::debug!(%error, "a temporary file could not be removed");
        }
    }
}
