//! Why something in a jail could not be done.

use std::io;

use thiserror::Error;

/// Why something in a jail could not be done. The texts may be shown to whoever named the path; they tell nothing of
/// what lies outside.
#[derive(Debug, Error)]
pub(crate) enum JailError {
    /// The path is no good by its text, or leads out.
    #[error("the path is not allowed: {0}")]
    NotAllowed(String),
    /// Neither a file nor a folder, or a folder on the way is missing.
    #[error("there is no such file or folder")]
    NotFound,
    /// A folder, a pipe, a device.
    #[error("it is not a file")]
    NotAFile,
    /// A file.
    #[error("it is not a folder")]
    NotAFolder,
    /// There is another content under this name.
    #[error("there is a file of this name already")]
    Exists,
    /// The caller went away before anything was changed.
    #[error("the work was stopped")]
    Stopped,
    /// The disk refused.
    #[error("the file store failed")]
    Io(#[source] io::Error),
}

impl From<io::Error> for JailError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::NotADirectory => Self::NotAFolder,
            io::ErrorKind::IsADirectory => Self::NotAFile,
            io::ErrorKind::AlreadyExists => Self::Exists,
            // cap-std makes this error itself when a link leads out; the system's own refusal has a number.
            io::ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
                Self::NotAllowed("it leads out of the folder through a link".to_owned())
            }
            _ => Self::Io(error),
        }
    }
}
