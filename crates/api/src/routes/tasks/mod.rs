//! Submit work and follow it to its end.
//!
//! | module | what is in it |
//! |---|---|
//! | `schemas` | the task as clients see it |
//! | `submit` | the body of a submission and its rules |
//! | `handlers` | submit, read, list, cancel |
//! | `list` | filters of the list |
//! | `retry` | a further run of an ended task |
//! | `fork` | child tasks: forks and replays |
//! | `pause` | stopping for a while, and going on |
//! | `rates` | how often tasks are submitted |
//! | `runs` | the runs of a task, and where it comes from |
//! | `steps` | the journal as a tree |
//! | `events` | the log as JSON or as server-sent events |
//! | `socket`, `socket_operations` | the log over a WebSocket, and what clients may say there |

#[cfg(test)]
mod control_tests;
mod events;
mod fork;
mod handlers;
mod list;
mod pause;
mod rates;
mod retry;
mod runs;
mod schemas;
mod socket;
mod socket_operations;
#[cfg(test)]
mod socket_tests;
mod steps;
#[cfg(test)]
mod stream_tests;
mod submit;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use retry::{accepted, read_from};
pub use schemas::task_json;
pub(crate) use schemas::{FailureResponse, TaskResponse};
pub(crate) use submit::read_task;
pub(crate) use table::router;
