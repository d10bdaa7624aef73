//! The statements of a plan: few of them, many rows each.

use std::collections::{HashMap, HashSet};

use crewd_application::ports::{ControlItem, StoreError};
use crewd_domain::runs::Run;
use crewd_domain::shared::{RunId, TenantId};
use sea_orm::{DbBackend, Statement, Value};
use uuid::Uuid;

use super::plan::Plan;
use crate::persistence::dialect::{OnConflict, in_list, inserts, replacements, statement, updates_from};
use crate::persistence::error::{insert_error, unavailable};
use crate::persistence::info::Capabilities;
use crate::persistence::rows::{
    CONTROLS, CellWriter, DEFINITIONS, EVENTS, FIRST_CHANGING, IDEMPOTENCY_KEYS, KEPT_MICROS, METADATA, RUNS, STEPS, TASKS,
    Table, labels, update_run_sql, write_changed_run, write_control, write_crew, write_event, write_key, write_label, write_run,
    write_run_changes, write_step, write_task,
};
use crate::persistence::session::Session;

/// A transition, and the row it was decided on.
pub(super) struct RunWrite<'work> {
    pub(super) run: &'work Run,
    pub(super) lease_until: Option<i64>,
    pub(super) version_before: u64,
    pub(super) epoch_before: u64,
}

/// A change of the inbox. Their order matters.
pub(super) enum ControlWrite<'work> {
    Insert(&'work ControlItem, &'work TenantId),
    Apply { run_id: RunId, ids: &'work [Uuid], applied_seq: u64 },
}

/// A statement of a plan, and how its outcome is to be read.
pub(super) struct Planned {
    pub(super) statement: Statement,
    /// What a taken key is called.
    pub(super) key_name: &'static str,
    /// Another writer was faster unless exactly one row is changed.
    pub(super) is_swap: bool,
}

/// All that a plan writes. Rows come before what refers to them.
pub(super) fn statements(
    (backend, capabilities): (DbBackend, Capabilities),
    plan: &Plan<'_>,
) -> Result<Vec<Planned>, StoreError> {
    let mut to = Statements { backend, capabilities, planned: Vec::new() };
    // A version that comes over the API is its name's newest one, also when it was there before.
    for (from_api, on_conflict) in [(false, OnConflict::Keep), (true, OnConflict::Replace)] {
        let mut cells = CellWriter::default();
        let mut seen = HashSet::new();
        let crews = plan.crews.iter().filter(|crew| crew.from_api == from_api);
        for crew in crews.filter(|crew| seen.insert((&crew.tenant_id, &crew.name, &crew.version))) {
            write_crew(&mut cells, crew);
        }
        to.insert(&DEFINITIONS, on_conflict, cells);
    }

    let mut cells = CellWriter::default();
    let mut metadata = CellWriter::default();
    for task in &plan.tasks {
        write_task(&mut cells, task)?;
        for (label, text) in labels(task) {
            write_label(&mut metadata, task, label, text);
        }
    }
    to.insert(&TASKS, OnConflict::Fail, cells);
    to.insert(&METADATA, OnConflict::Fail, metadata);

    let mut cells = CellWriter::default();
    for (run, priority) in &plan.new_runs {
        write_run(&mut cells, run, *priority)?;
    }
    to.insert(&RUNS, OnConflict::Fail, cells);
    to.update_runs(&plan.run_writes)?;

    to.save_steps(plan)?;

    let mut cells = CellWriter::default();
    for (event, tenant, epoch) in &plan.events {
        write_event(&mut cells, event, tenant, *epoch);
    }
    to.insert(&EVENTS, OnConflict::Fail, cells);

    let mut cells = CellWriter::default();
    for record in &plan.keys {
        write_key(&mut cells, record);
    }
    to.insert(&IDEMPOTENCY_KEYS, OnConflict::Fail, cells);

    for change in &plan.controls {
        to.change_control(change)?;
    }
    to.drop_controls(plan.run_writes.iter().filter(|write| write.run.status.is_terminal()).map(|write| write.run.id));
    to.planned.extend(plan.extras.statements(backend)?);
    to.planned.extend(plan.hooks.statements(backend)?);
    Ok(to.planned)
}

/// Executes statements one after the other; an error says whose it is.
pub(super) async fn write(transaction: &Session, planned: Vec<Planned>) -> Result<(), StoreError> {
    for one in planned {
        let result = transaction.execute_raw(one.statement).await.map_err(|error| insert_error(error, one.key_name))?;
        if one.is_swap && result != 1 {
            return Err(StoreError::Conflict);
        }
    }
    Ok(())
}

/// Forgets those keys of the plan that have expired.
pub(super) async fn purge_keys(transaction: &Session, backend: DbBackend, plan: &Plan<'_>) -> Result<(), StoreError> {
    for record in &plan.keys {
        let values = vec![
            record.tenant_id.as_str().into(),
            record.route.as_str().into(),
            record.key.as_str().into(),
            Value::from(record.created_at.timestamp_micros().saturating_sub(KEPT_MICROS)),
        ];
        let sql = "DELETE FROM idempotency_keys WHERE tenant_id = ? AND route = ? AND idem_key = ? AND created_at <= ?";
        transaction.execute_raw(statement(backend, sql, values)).await.map_err(unavailable)?;
    }
    Ok(())
}

struct Statements {
    backend: DbBackend,
    capabilities: Capabilities,
    planned: Vec<Planned>,
}

impl Statements {
    fn insert(&mut self, table: &Table, on_conflict: OnConflict, cells: CellWriter) {
        self.plan(table, inserts(self.backend, table, on_conflict, cells.into_cells()));
    }

    fn plan(&mut self, table: &Table, statements: Vec<Statement>) {
        let planned = statements.into_iter().map(|statement| Planned { statement, key_name: table.key_name, is_swap: false });
        self.planned.extend(planned);
    }

    /// One statement cannot write a row twice: of several states of a step the last one counts. A step that ends was
    /// mostly announced before, one that begins was mostly not.
    fn save_steps(&mut self, plan: &Plan<'_>) -> Result<(), StoreError> {
        let last: HashMap<_, _> =
            plan.steps.iter().enumerate().map(|(place, (step, _))| ((step.run_id, &step.path), place)).collect();
        let (mut new, mut known) = (CellWriter::default(), CellWriter::default());
        for (place, (step, tenant)) in plan.steps.iter().enumerate() {
            if last.get(&(step.run_id, &step.path)) == Some(&place) {
                let is_known = !self.capabilities.cheap_upsert && step.finished_at.is_some();
                write_step(if is_known { &mut known } else { &mut new }, step, tenant)?;
            }
        }
        self.insert(&STEPS, OnConflict::Replace, new);
        self.plan(&STEPS, replacements(self.backend, &STEPS, known.into_cells()));
        Ok(())
    }

    /// On a server each statement is a trip, and the rows are held since their states were read: all of them go together,
    /// the last state of each. SQLite has no trips, and compares and swaps row by row.
    fn update_runs(&mut self, changes: &[RunWrite<'_>]) -> Result<(), StoreError> {
        let last: HashMap<RunId, usize> = changes.iter().enumerate().map(|(place, change)| (change.run.id, place)).collect();
        if self.backend == DbBackend::Sqlite || last.len() < 2 {
            return changes.iter().try_for_each(|change| self.update_run(change));
        }
        let mut cells = CellWriter::default();
        for (place, change) in changes.iter().enumerate() {
            if last.get(&change.run.id) == Some(&place) {
                if self.capabilities.cheap_upsert {
                    write_changed_run(&mut cells, change.run, change.lease_until)?;
                } else {
                    cells.id(change.run.id.as_uuid());
                    write_run_changes(&mut cells, change.run, change.lease_until)?;
                }
            }
        }
        if self.capabilities.cheap_upsert {
            self.insert(&RUNS, OnConflict::ReplaceFrom(FIRST_CHANGING), cells);
        } else {
            self.plan(&RUNS, updates_from(self.backend, &RUNS, FIRST_CHANGING, cells.into_cells()));
        }
        Ok(())
    }

    fn update_run(&mut self, change: &RunWrite<'_>) -> Result<(), StoreError> {
        let mut cells = CellWriter::default();
        write_run_changes(&mut cells, change.run, change.lease_until)?;
        cells.id(change.run.id.as_uuid());
        cells.number(change.version_before);
        cells.number(change.epoch_before);
        let statement = statement(self.backend, update_run_sql(), cells.into_cells());
        self.planned.push(Planned { statement, key_name: RUNS.key_name, is_swap: true });
        Ok(())
    }

    /// Orders that came too late for a run that ends: they count as applied, so that nobody looks at them again.
    fn drop_controls(&mut self, ended: impl Iterator<Item = RunId>) {
        let mut values = Vec::new();
        let list = in_list(&mut values, ended.map(|id| Value::from(id.to_string())));
        if !values.is_empty() {
            let sql = format!("UPDATE run_inbox SET applied_seq = 0 WHERE applied_seq IS NULL AND run_id IN ({list})");
            let statement = statement(self.backend, sql, values);
            self.planned.push(Planned { statement, key_name: CONTROLS.key_name, is_swap: false });
        }
    }

    fn change_control(&mut self, change: &ControlWrite<'_>) -> Result<(), StoreError> {
        let mut cells = CellWriter::default();
        match change {
            ControlWrite::Insert(item, tenant) => {
                write_control(&mut cells, item, tenant)?;
                self.insert(&CONTROLS, OnConflict::Fail, cells);
            }
            ControlWrite::Apply { run_id, ids, applied_seq } => {
                cells.number(*applied_seq);
                cells.id(run_id.as_uuid());
                let mut values = cells.into_cells();
                let list = in_list(&mut values, ids.iter().map(|id| Value::from(id.to_string())));
                let sql =
                    format!("UPDATE run_inbox SET applied_seq = ? WHERE run_id = ? AND applied_seq IS NULL AND id IN ({list})");
                let statement = statement(self.backend, sql, values);
                self.planned.push(Planned { statement, key_name: CONTROLS.key_name, is_swap: false });
            }
        }
        Ok(())
    }
}
