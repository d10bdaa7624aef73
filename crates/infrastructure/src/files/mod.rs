//! Folders that nothing can leave: the files of runs, and what tools may read besides.
//!
//! Two walls stand behind each other. The text of a path is checked first, by the same rule on every system
//! (`JailPath`). Then the file is opened relative to the handle of its folder (`cap-std`), so that a link, or a folder
//! that is swapped for a link meanwhile, leads nowhere else.

mod blocking;
mod error;
mod inherit;
mod jail;
mod names;
mod path;
mod run_files;
mod writing;

pub(crate) use blocking::{Stop, run_blocking};
pub(crate) use error::JailError;
pub(crate) use jail::Jail;
pub(crate) use names::is_invisible;
pub(crate) use path::JailPath;
pub use run_files::JailedRunFiles;
pub(crate) use writing::WriteMode;

#[cfg(test)]
#[cfg(unix)]
mod race_tests;
