//! The folders of runs.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use crewd_application::ports::{FileError, RunFiles};
use crewd_domain::shared::{RunId, TenantId};

use super::blocking::{Stop, run_blocking};
use super::error::JailError;
use super::inherit::inherit;
use super::jail::Jail;
use super::path::JailPath;
use super::writing::WriteMode;

/// Where half-written files lie, in the folder of a tenant; no run has this name.
const SCRATCH: &str = ".writing";

/// Files of runs under `<root>/<tenant>/<run>/`. Folders are made when the first file is written.
#[derive(Clone, Debug)]
pub struct JailedRunFiles {
    root: PathBuf,
}

impl JailedRunFiles {
    /// Keeps the files below this folder. Nothing is made or opened yet.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The folder below which all files are.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a run; `None` before its first file. Blocks.
    pub(crate) fn existing(&self, tenant: &TenantId, run: RunId) -> Result<Option<Jail>, JailError> {
        let open = || enter(&enter(&Dir::open_ambient_dir(&self.root, ambient_authority())?, tenant.as_str())?, &run.to_string());
        match open() {
            Ok(folder) => Ok(Some(Jail::new(folder))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file of a run. Blocks.
    pub(crate) fn write_now(
        &self,
        (tenant, run): (&TenantId, RunId),
        path: &JailPath,
        content: &[u8],
        how: (WriteMode, bool),
        stop: &Stop,
    ) -> Result<(), JailError> {
        Dir::create_ambient_dir_all(&self.root, ambient_authority())?;
        let of_tenant = make(&Dir::open_ambient_dir(&self.root, ambient_authority())?, tenant.as_str())?;
        let scratch = make(&of_tenant, SCRATCH)?;
        let jail = Jail::new(make(&of_tenant, &run.to_string())?);
        jail.write(&scratch, path, content, how, stop)
    }
}

#[async_trait]
impl RunFiles for JailedRunFiles {
    async fn write(
        &self,
        tenant: &TenantId,
        run: RunId,
        path: &str,
        content: Bytes,
        create_folder: bool,
    ) -> Result<(), FileError> {
        let (files, tenant) = (self.clone(), tenant.clone());
        let named = path.to_owned();
        let how = (WriteMode::Replace, create_folder);
        let written = run_blocking(move |stop| {
            let path = JailPath::file(&named)?;
            files.write_now((&tenant, run), &path, &content, how, stop)
        });
        written.await.map_err(|error| file_error(path, error))
    }

    async fn inherit(&self, tenant: &TenantId, from: RunId, to: RunId) -> Result<(), FileError> {
        let (files, tenant) = (self.clone(), tenant.clone());
        let copied = run_blocking(move |stop| inherit(&files, &tenant, (from, to), stop));
        copied.await.map_err(|error| file_error("", error))
    }
}

fn file_error(path: &str, error: JailError) -> FileError {
    match error {
        JailError::NotAllowed(reason) => FileError::NotAllowed(reason),
        JailError::NotAFile => FileError::NotAllowed("it is a folder".to_owned()),
        JailError::NotAFolder => FileError::NotAllowed("a part of it is a file".to_owned()),
        JailError::NotFound => FileError::NotFound(path.to_owned()),
        JailError::Exists => FileError::Io(io::ErrorKind::AlreadyExists.into()),
        JailError::Stopped => FileError::Io(io::ErrorKind::Interrupted.into()),
        JailError::Io(error) => FileError::Io(error),
    }
}

/// Opens a folder that must not be a link: a link between two tenants would stay below the root.
fn enter(folder: &Dir, name: &str) -> io::Result<Dir> {
    if folder.symlink_metadata(name)?.is_symlink() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a folder of run files is a link"));
    }
    folder.open_dir(name)
}

/// Makes a folder unless it is there, and opens it.
fn make(folder: &Dir, name: &str) -> io::Result<Dir> {
    match enter(folder, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        entered => return entered,
    }
    match folder.create_dir(name) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => enter(folder, name),
    }
}

#[cfg(test)]
#[path = "run_files_tests.rs"]
mod tests;
