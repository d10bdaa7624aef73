//! A small group in two trips to the connection's thread instead of six: SQLite takes several statements as one text.
//!
//! Each trip wakes two threads, which costs more than the statements themselves when there are few rows. Large groups
//! share their trips among many callers anyway, and their texts would be too many to keep prepared.

use sea_orm::{DbBackend, Statement, Value};

use super::extras;
use super::hooks;
use super::lookup::{read_runs, runs_sql};
use super::plan::{Plan, wanted_runs, wanted_tasks};
use super::work::{Outcome, Work};
use super::write::statements;
use crate::persistence::info::Capabilities;
use crate::persistence::session::Session;

/// Units that are bundled at most.
const SMALL: usize = 4;

/// Whether a group can go this way.
pub(super) fn is_bundle(backend: DbBackend, work: &Work) -> bool {
    let only_units = work.claims.is_empty() && work.scripts.is_empty();
    let has_swap =
        work.units.iter().flat_map(|unit| &unit.changes).any(|change| hooks::is_swap(change) || extras::is_swap(change));
    let fits = only_units && !has_swap && work.units.len() <= SMALL;
    backend == DbBackend::Sqlite && fits && wanted_tasks(&work.units).is_empty()
}

/// Does the work, or nothing. `begin` starts the transaction. `None` says that it did not work; the long way then
/// finds out why.
pub(super) async fn bundled(session: &Session, capabilities: Capabilities, begin: &str, work: &Work) -> Option<Outcome> {
    let outcome = attempt(session, capabilities, begin, work).await;
    if outcome.is_none() {
        // There may be no transaction to take back.
        let _ = session.execute_text("ROLLBACK").await;
    }
    outcome
}

async fn attempt(session: &Session, capabilities: Capabilities, begin: &str, work: &Work) -> Option<Outcome> {
    let backend = DbBackend::Sqlite;
    let wanted = wanted_runs(&work.units);
    let mut text = Text::default();
    text.add(begin, Vec::new());
    let runs = if wanted.is_empty() {
        read_runs(&[])
    } else {
        let (sql, values) = runs_sql(backend, &wanted);
        text.add(&sql, values);
        read_runs(&session.query_all_raw(std::mem::take(&mut text).into_statement(backend)).await.ok()?)
    };
    let mut plan = Plan::new(runs.ok()?, std::collections::HashMap::new());
    let units = work.units.iter().map(|unit| plan.admit(unit)).collect();
    for one in statements((backend, capabilities), &plan).ok()? {
        text.add(&one.statement.sql, one.statement.values.map(|values| values.0).unwrap_or_default());
    }
    text.add("COMMIT", Vec::new());
    session.execute_raw(text.into_statement(backend)).await.ok()?;
    Some(Outcome { units, ..Outcome::default() })
}

/// Several statements as one. Values are bound in the order of the marks, over all of them.
#[derive(Default)]
struct Text {
    sql: String,
    values: Vec<Value>,
}

impl Text {
    fn add(&mut self, sql: &str, values: Vec<Value>) {
        if !self.sql.is_empty() {
            self.sql.push(';');
        }
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn into_statement(self, backend: DbBackend) -> Statement {
        // Its values were made storable before.
        Statement::from_sql_and_values(backend, self.sql, self.values)
    }
}
