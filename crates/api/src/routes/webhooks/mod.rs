//! Addresses that are told of events, and what was sent to them.
//!
//! | module | what is in it |
//! |---|---|
//! | `schemas` | endpoints and deliveries as clients see them |
//! | `read` | bodies and their rules |
//! | `handlers` | add, list, read, change, remove endpoints; new secrets |
//! | `deliveries` | the log, and sending again |

mod deliveries;
mod handlers;
mod read;
mod schemas;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use read::read_events;
pub(crate) use table::router;
