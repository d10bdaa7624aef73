//! How each value of the domain lies in its table, one table a file.
//!
//! A file holds the table's columns once, in the order in which `write` and `read` go through them.

mod cells;
mod controls;
mod definitions;
mod events;
mod idempotency;
mod metadata;
mod runs;
mod steps;
mod table;
mod tasks;

pub(super) use cells::{CellReader, CellWriter};
pub(super) use controls::CONTROLS;
pub(super) use definitions::DEFINITIONS;
pub(super) use events::EVENTS;
pub(super) use idempotency::{IDEMPOTENCY_KEYS, KEPT_MICROS};
pub(super) use metadata::{METADATA, labels};
pub(super) use runs::{RUNS, RunState};
pub(super) use steps::STEPS;
pub(super) use table::Table;
pub(super) use tasks::TASKS;

pub(super) use controls::{read_control, write_control};
pub(super) use definitions::{read_crew, read_version, write_crew};
pub(super) use events::{read_event, write_event};
pub(super) use idempotency::{read_key, write_key};
pub(super) use metadata::write_label;
pub(super) use runs::{claim_run, read_run, update_run_sql, write_run, write_run_changes};
pub(super) use steps::{read_step, write_step};
pub(super) use tasks::{read_task, write_task};
