//! How each value of the domain lies in its table, one table a file.
//!
//! A file holds the table's columns once, in the order in which `write` and `read` go through them.

mod approvals;
mod cells;
mod controls;
mod dedup;
mod definitions;
mod deliveries;
mod events;
mod idempotency;
mod metadata;
mod outbox;
mod runs;
mod schedules;
mod steps;
mod table;
mod tasks;
mod webhooks;

pub(super) use approvals::APPROVALS;
pub(super) use cells::{CellReader, CellWriter};
pub(super) use controls::CONTROLS;
pub(super) use dedup::DEDUP_KEYS;
pub(super) use definitions::DEFINITIONS;
pub(super) use deliveries::DELIVERIES;
pub(super) use events::EVENTS;
pub(super) use idempotency::{IDEMPOTENCY_KEYS, KEPT_MICROS};
pub(super) use metadata::{METADATA, labels};
pub(super) use outbox::OUTBOX;
pub(super) use runs::{RUNS, RunState};
pub(super) use schedules::{FIRES, SCHEDULES, UPDATE_SCHEDULE};
pub(super) use steps::STEPS;
pub(super) use table::Table;
pub(super) use tasks::TASKS;
pub(super) use webhooks::WEBHOOKS;

pub(super) use approvals::{read_approval, update_approval_sql, write_approval, write_approval_changes};
pub(super) use controls::{read_control, write_control};
pub(super) use dedup::{read_dedup, write_dedup};
pub(super) use definitions::{read_crew, read_version, write_crew};
pub(super) use deliveries::{read_delivery, write_new_delivery};
pub(super) use events::{read_event, write_event};
pub(super) use idempotency::{read_key, write_key};
pub(super) use metadata::write_label;
pub(super) use outbox::{read_message, write_message};
pub(super) use runs::{FIRST_CHANGING, claim_run, read_run, update_run_sql, write_changed_run, write_run, write_run_changes};
pub(super) use schedules::{read_fire, read_schedule, write_fire, write_schedule, write_schedule_changes};
pub(super) use steps::{read_step, write_step};
pub(super) use tasks::{read_task, write_task};
pub(super) use webhooks::{read_webhook, update_webhook_sql, write_webhook, write_webhook_changes};
