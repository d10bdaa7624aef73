//! The list of all changes.

use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait, async_trait};

use super::{
    m20261120_000001_tasks, m20261120_000002_runs, m20261120_000003_steps, m20261120_000004_run_events,
    m20261120_000005_run_inbox, m20261120_000006_definitions, m20261120_000007_idempotency_keys, m20261120_000008_task_metadata,
    m20261120_000009_approvals, m20261120_000010_outbox, m20261121_000011_durable_runs, m20261121_000012_decisions,
    m20261121_000013_dedup_keys, m20261121_000014_webhooks, m20261121_000015_schedules, m20261121_000016_outbox,
    m20261122_000017_locks, m20261122_000018_duties,
};

/// Applies the changes of the schema, oldest first, and takes them back, newest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261120_000001_tasks::Migration),
            Box::new(m20261120_000002_runs::Migration),
            Box::new(m20261120_000003_steps::Migration),
            Box::new(m20261120_000004_run_events::Migration),
            Box::new(m20261120_000005_run_inbox::Migration),
            Box::new(m20261120_000006_definitions::Migration),
            Box::new(m20261120_000007_idempotency_keys::Migration),
            Box::new(m20261120_000008_task_metadata::Migration),
            Box::new(m20261120_000009_approvals::Migration),
            Box::new(m20261120_000010_outbox::Migration),
            Box::new(m20261121_000011_durable_runs::Migration),
            Box::new(m20261121_000012_decisions::Migration),
            Box::new(m20261121_000013_dedup_keys::Migration),
            Box::new(m20261121_000014_webhooks::Migration),
            Box::new(m20261121_000015_schedules::Migration),
            Box::new(m20261121_000016_outbox::Migration),
            Box::new(m20261122_000017_locks::Migration),
            Box::new(m20261122_000018_duties::Migration),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_rise_and_are_unique() {
        let names: Vec<String> = Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
        let mut sorted = names.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(names, sorted);
    }
}
