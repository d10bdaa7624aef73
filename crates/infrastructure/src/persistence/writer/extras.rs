//! What a plan writes beside tasks, runs and their logs: which run a task shows, business keys, questions to people.

use chrono::{DateTime, Utc};
use crewd_application::ports::{ApprovalUpdate, Change, DedupRecord, StoreError, UnitOfWork};
use crewd_domain::approvals::{Approval, ApprovalStatus};
use crewd_domain::shared::{RunId, TaskId, TenantId};
use sea_orm::{DbBackend, Statement};

use super::write::Planned;
use crate::persistence::dialect::{OnConflict, inserts, statement};
use crate::persistence::rows::{
    APPROVALS, CellWriter, DEDUP_KEYS, TASKS, update_approval_sql, write_approval, write_approval_changes, write_dedup,
};

/// A change of the table of questions. Their order matters.
enum ApprovalWrite<'work> {
    Insert(&'work Approval),
    Update(&'work ApprovalUpdate),
    Withdraw { run_id: RunId, at: DateTime<Utc> },
}

/// A further run becomes the one that a task shows.
struct CurrentRun<'work> {
    tenant: &'work TenantId,
    task_id: TaskId,
    run_id: RunId,
    expected: RunId,
}

/// What of a group concerns these tables.
#[derive(Default)]
pub(super) struct Extras<'work> {
    current_runs: Vec<CurrentRun<'work>>,
    dedup_keys: Vec<&'work DedupRecord>,
    approvals: Vec<ApprovalWrite<'work>>,
}

impl<'work> Extras<'work> {
    /// Takes in what a change has for these tables.
    pub(super) fn stage(&mut self, unit: &'work UnitOfWork, change: &'work Change) {
        match change {
            Change::SetCurrentRun { task_id, run_id, expected } => {
                let tenant = &unit.tenant;
                self.current_runs.push(CurrentRun { tenant, task_id: *task_id, run_id: *run_id, expected: *expected });
            }
            Change::InsertDedupKey(record) => self.dedup_keys.push(record),
            Change::InsertApproval(approval) => self.approvals.push(ApprovalWrite::Insert(approval)),
            Change::UpdateApproval(update) => self.approvals.push(ApprovalWrite::Update(update)),
            Change::WithdrawApprovals { run_id, at } => {
                self.approvals.push(ApprovalWrite::Withdraw { run_id: *run_id, at: *at });
            }
            _ => {}
        }
    }

    /// The statements, in the order of the changes.
    pub(super) fn statements(&self, backend: DbBackend) -> Result<Vec<Planned>, StoreError> {
        let mut to = Planner { backend, planned: Vec::new() };
        for current in &self.current_runs {
            to.set_current_run(current);
        }
        for record in &self.dedup_keys {
            to.take_key(record);
        }
        for change in &self.approvals {
            to.change_approval(change)?;
        }
        Ok(to.planned)
    }
}

/// Whether the number of changed rows decides about a unit.
pub(super) const fn is_swap(change: &Change) -> bool {
    matches!(change, Change::SetCurrentRun { .. } | Change::UpdateApproval(_))
}

struct Planner {
    backend: DbBackend,
    planned: Vec<Planned>,
}

impl Planner {
    fn add(&mut self, key_name: &'static str, is_swap: bool, statements: impl IntoIterator<Item = Statement>) {
        self.planned.extend(statements.into_iter().map(|statement| Planned { statement, key_name, is_swap }));
    }

    fn set_current_run(&mut self, current: &CurrentRun<'_>) {
        let mut cells = CellWriter::default();
        cells.id(current.run_id.as_uuid());
        cells.id(current.task_id.as_uuid());
        cells.text(current.tenant.as_str());
        cells.id(current.expected.as_uuid());
        let sql = "UPDATE tasks SET current_run = ? WHERE id = ? AND tenant_id = ? AND current_run = ?";
        self.add(TASKS.key_name, true, [statement(self.backend, sql, cells.into_cells())]);
    }

    fn take_key(&mut self, record: &DedupRecord) {
        if let Some(replaced) = record.replaces {
            let mut cells = CellWriter::default();
            cells.text(record.tenant_id.as_str());
            cells.text(&record.key);
            cells.id(replaced.as_uuid());
            let sql = "DELETE FROM dedup_keys WHERE tenant_id = ? AND dedup_key = ? AND task_id = ?";
            self.add(DEDUP_KEYS.key_name, false, [statement(self.backend, sql, cells.into_cells())]);
        }
        let mut cells = CellWriter::default();
        write_dedup(&mut cells, record);
        self.add(DEDUP_KEYS.key_name, false, inserts(self.backend, &DEDUP_KEYS, OnConflict::Fail, cells.into_cells()));
    }

    fn change_approval(&mut self, change: &ApprovalWrite<'_>) -> Result<(), StoreError> {
        let mut cells = CellWriter::default();
        match change {
            ApprovalWrite::Insert(approval) => {
                write_approval(&mut cells, approval)?;
                self.add(APPROVALS.key_name, false, inserts(self.backend, &APPROVALS, OnConflict::Fail, cells.into_cells()));
            }
            ApprovalWrite::Update(update) => {
                write_approval_changes(&mut cells, &update.approval)?;
                cells.id(update.approval.id.as_uuid());
                cells.text(update.approval.tenant_id.as_str());
                cells.number(update.expected_version);
                self.add(APPROVALS.key_name, true, [statement(self.backend, update_approval_sql(), cells.into_cells())]);
            }
            ApprovalWrite::Withdraw { run_id, at } => {
                cells.text(ApprovalStatus::Withdrawn.as_str());
                cells.instant(*at);
                cells.id(run_id.as_uuid());
                cells.text(ApprovalStatus::Pending.as_str());
                let sql =
                    "UPDATE approvals SET status = ?, decided_at = ?, version = version + 1 WHERE run_id = ? AND status = ?";
                self.add(APPROVALS.key_name, false, [statement(self.backend, sql, cells.into_cells())]);
            }
        }
        Ok(())
    }
}
