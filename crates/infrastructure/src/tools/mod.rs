//! Tools: those that come with crewd (reading and writing files, looking into folders, asking a person), and those that the operator
//! declares as calls over HTTP ([`HttpTools`]).
//!
//! The file tools see the run's own folder and, where the operator set one, a shared folder that they read and never change.
//! A path is looked up in the run's own folder first, then in the shared one.

mod ask_human;
mod builtin;
mod directory_read;
mod failures;
mod file_read;
mod file_write;
mod http;
mod joined;
mod listing;
mod page;
mod readable;
mod room;

pub use builtin::BuiltinTools;
pub use http::{HttpTools, HttpToolsError};
pub use joined::JoinedTools;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

#[cfg(test)]
#[cfg(unix)]
mod hostile_tests;
