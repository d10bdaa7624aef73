//! Schedules: keeping them, and submitting their tasks when their time has come.
//!
//! | module | what is in it |
//! |---|---|
//! | `fields` | what a client says about a schedule, new or changed |
//! | `check` | everything wrong with a schedule and with its task |
//! | `rows` | from the schedule to its row and back |
//! | `service` | create, read, change, delete |
//! | `on_request` | trigger and backfill |
//! | `overlap` | what becomes of a fire while earlier tasks go on |
//! | `fire` | one fire: its task and its record in one unit |
//! | `tick` | carries out what is due, on every node, once |

mod check;
mod fields;
mod fire;
mod on_request;
mod overlap;
mod rows;
mod service;
mod tick;

#[cfg(test)]
mod tests;

pub use fields::{BackfillRequest, ScheduleFields, TimingFields};
pub use on_request::{Backfilled, DEFAULT_BACKFILL, MAX_BACKFILL};
pub use service::{SchedulePage, ScheduleService, ScheduleServiceParts};
pub use tick::{SchedulerService, Ticked};
