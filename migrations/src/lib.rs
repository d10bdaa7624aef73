//! The schema, as a sequence of changes.
//!
//! Rule of this crate: one file a change, named `m<date>_<number>_<what>`, with `up` and `down`; a published file is
//! never edited. Only types and statements that SQLite, MySQL, OceanBase and PostgreSQL share are used: the building
//! blocks are in `portable`. How to add one: `docs/guides/adding-a-migration.md`.
//!
//! | module | what is in it |
//! |---|---|
//! | `portable` | columns and tables that mean the same on every database |
//! | `migrator` | [`Migrator`]: the list of all changes, in order |
//! | `plan` | what changes would say to a database |
//! | `m…` | one change each |

mod m20261120_000001_tasks;
mod m20261120_000002_runs;
mod m20261120_000003_steps;
mod m20261120_000004_run_events;
mod m20261120_000005_run_inbox;
mod m20261120_000006_definitions;
mod m20261120_000007_idempotency_keys;
mod m20261120_000008_task_metadata;
mod m20261120_000009_approvals;
mod m20261120_000010_outbox;
mod m20261121_000011_durable_runs;
mod m20261121_000012_decisions;
mod m20261121_000013_dedup_keys;
mod m20261121_000014_webhooks;
mod m20261121_000015_schedules;
mod m20261121_000016_outbox;
mod m20261122_000017_locks;
mod m20261122_000018_duties;
mod migrator;
mod plan;
mod portable;

pub use migrator::Migrator;
pub use plan::{Existing, PlannedChange, plan};
pub use sea_orm_migration::MigratorTrait;
