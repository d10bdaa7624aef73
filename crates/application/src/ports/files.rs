//! The folder of a run. Nothing outside of it can be named.

use async_trait::async_trait;
use bytes::Bytes;
use crewd_domain::shared::{RunId, TenantId};
use thiserror::Error;

/// Why a file was not written or read.
#[derive(Debug, Error)]
pub enum FileError {
    /// The name leads out of the folder, or is no name at all.
    #[error("the path is not allowed: {0}")]
    NotAllowed(String),
    /// It is not there.
    #[error("there is no such file: {0}")]
    NotFound(String),
    /// The disk refused.
    #[error("the file store failed")]
    Io(#[source] std::io::Error),
}

/// Files of runs, under a root per tenant and run.
#[async_trait]
pub trait RunFiles: Send + Sync {
    /// Writes a file whole: a reader sees the old content or the new, never half. The path is relative to the run's
    /// folder, with `/` between its parts. Writing the same content again changes nothing.
    ///
    /// # Errors
    /// [`FileError::NotAllowed`] for `..`, absolute paths and links that lead outside; [`FileError::NotFound`] for a
    /// missing folder unless `create_folder`.
    async fn write(
        &self,
        tenant: &TenantId,
        run: RunId,
        path: &str,
        content: Bytes,
        create_folder: bool,
    ) -> Result<(), FileError>;

    /// Copies the files of one run into the folder of another, which goes on where the first one stopped. Files that
    /// are there already stay as they are, so that it may be done twice.
    ///
    /// # Errors
    /// [`FileError::Io`] where the disk refuses.
    async fn inherit(&self, tenant: &TenantId, from: RunId, to: RunId) -> Result<(), FileError>;
}
