//! The folders that tools may read.

use std::io;
use std::path::{self, Path, PathBuf};

use crewd_domain::shared::{RunId, TenantId};

use crate::files::{Jail, JailError, JailedRunFiles};

/// Where a tool looks: the folder of the run, then the shared folder if there is one.
#[derive(Clone, Debug)]
pub(super) struct ReadableFolders {
    files: JailedRunFiles,
    shared: Option<SharedFolder>,
}

#[derive(Clone, Debug)]
struct SharedFolder {
    path: PathBuf,
    /// Folders inside that stay closed, relative to it.
    private: Vec<PathBuf>,
}

/// One of the folders, opened for a call.
#[derive(Debug)]
pub(super) struct Readable {
    /// What to call it.
    pub(super) label: &'static str,
    /// The folder; `None` for a run that has no files yet.
    pub(super) jail: Option<Jail>,
}

impl ReadableFolders {
    /// See [`super::BuiltinTools::new`].
    pub(super) fn new(files: JailedRunFiles, shared: Option<&Path>, private: &[PathBuf]) -> io::Result<Self> {
        let shared = shared.map(|folder| SharedFolder::new(folder, files.root(), private)).transpose()?;
        Ok(Self { files, shared })
    }

    /// Opens the folders for a run, in the order in which they are searched. Blocks.
    pub(super) fn open(&self, tenant: &TenantId, run: RunId) -> Result<Vec<Readable>, JailError> {
        let mut folders = vec![Readable { label: "this run's own folder", jail: self.files.existing(tenant, run)? }];
        if let Some(shared) = &self.shared {
            let jail = Jail::open_ambient(&shared.path, &shared.private)?;
            folders.push(Readable { label: "the shared folder", jail: Some(jail) });
        }
        Ok(folders)
    }

    /// Opens something in the first folder that has it. Only what is missing in one folder is looked for in the next.
    pub(super) fn find<T>(
        &self,
        (tenant, run): (&TenantId, RunId),
        open: impl Fn(&Jail) -> Result<T, JailError>,
    ) -> Result<T, JailError> {
        for folder in self.open(tenant, run)? {
            match folder.jail.as_ref().map(&open) {
                None | Some(Err(JailError::NotFound)) => {}
                Some(found) => return found,
            }
        }
        Err(JailError::NotFound)
    }
}

impl SharedFolder {
    fn new(folder: &Path, run_files: &Path, private: &[PathBuf]) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("the folder that tools may read, {}: {error}", folder.display()))
        };
        let path = folder.canonicalize().map_err(named)?;
        if !path.is_dir() {
            return Err(named(io::ErrorKind::NotADirectory.into()));
        }
        let run_files = real_path(run_files)?;
        let mut closed = Vec::new();
        for private in private.iter().map(|private| real_path(private)).chain([Ok(run_files.clone())]) {
            let private = private?;
            if path == private || path.starts_with(&run_files) {
                let reason =
                    format!("it must not be {}, which is closed to tools, nor lie in the folder of run files", private.display());
                return Err(named(io::Error::new(io::ErrorKind::InvalidInput, reason)));
            }
            closed.extend(private.strip_prefix(&path).ok().map(Path::to_owned));
        }
        Ok(Self { path, private: closed })
    }
}

/// A path without links, also where its last parts do not exist yet.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = path::absolute(path)?;
    let real = absolute.ancestors().find_map(|existing| {
        let missing = absolute.strip_prefix(existing).ok()?;
        Some(existing.canonicalize().ok()?.join(missing))
    });
    Ok(real.unwrap_or(absolute))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(files: &Path, shared: &Path, private: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
        let folders = ReadableFolders::new(JailedRunFiles::new(files), Some(shared), private);
        folders.map(|folders| folders.shared.map(|shared| shared.private).unwrap_or_default()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_private_inside_the_shared_folder_is_known_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let closed = open(&data.join("files"), folder.path(), std::slice::from_ref(&data)).unwrap();
        assert_eq!(closed, [PathBuf::from("data"), PathBuf::from("data/files")]);
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(open(elsewhere.path(), folder.path(), &[]).unwrap().is_empty());
    }

    #[test]
    fn the_files_of_all_runs_cannot_be_shared() {
        let folder = tempfile::tempdir().unwrap();
        let (data, output) = (folder.path().join("data"), folder.path().join("data/output"));
        let files = data.join("files");
        for made in [&files.join("default"), &output] {
            std::fs::create_dir_all(made).unwrap();
        }
        for wrong in [&files, &files.join("default"), &data] {
            let answer = open(&files, wrong, std::slice::from_ref(&data));
            assert!(answer.as_ref().is_err_and(|text| text.contains("must not be")), "{answer:?}");
        }
        assert!(open(&files, &output, &[data]).is_ok(), "an operator may open a part of the data folder");
    }

    #[test]
    fn a_folder_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for wrong in [file, folder.path().join("missing")] {
            let answer = open(folder.path(), &wrong, &[]);
            assert!(answer.as_ref().is_err_and(|text| text.contains(&wrong.display().to_string())), "{answer:?}");
        }
    }
}
