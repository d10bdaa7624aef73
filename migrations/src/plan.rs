//! What pending changes would say to a database, without saying it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm_migration::prelude::{DbErr, MigratorTrait, SchemaManager};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseConnectionType, DbBackend, ExecResult, MockDatabase, MockDatabaseConnection,
    MockDatabaseTrait, MockExecResult, QueryResult, Statement, Transaction, Value,
};

use crate::Migrator;

/// One change, in the words of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedChange {
    /// The change's name; what prepares the list of changes has none.
    pub name: Option<String>,
    /// Statements without a semicolon, in order.
    pub statements: Vec<String>,
}

/// What a database has. Names stand as `(table, name)`, a table itself as `("", table)`.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// Tables and columns.
    pub columns: BTreeSet<(String, String)>,
    /// Indexes.
    pub indexes: BTreeSet<(String, String)>,
}

/// The statements of those changes whose names are in `pending`, oldest first, each with the note that it was applied: the
/// text can be run by hand, and crewd knows afterwards. Changes ask what is there: that is looked up in what `existing`
/// says and in what earlier changes of the plan would have made.
///
/// # Errors
/// Where a change asks for what a plan does not know.
pub async fn plan(backend: DbBackend, existing: &Existing, pending: &[String]) -> Result<Vec<PlannedChange>, DbErr> {
    let said = Arc::new(Mutex::new(Vec::new()));
    let recorder = Recorder { backend, existing: existing.clone(), said: said.clone() };
    let connection: DatabaseConnection =
        DatabaseConnectionType::MockDatabaseConnection(Arc::new(MockDatabaseConnection::new(recorder))).into();
    let mut changes = Vec::new();
    let mut known = 0;
    let mut take = |name: Option<String>| {
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        let statements = said.iter().skip(known).cloned().collect();
        known = said.len();
        PlannedChange { name, statements }
    };
    if !pending.is_empty() {
        Migrator::install(&connection).await?;
        changes.push(take(None));
    }
    for migration in Migrator::migrations() {
        let name = migration.name().to_owned();
        if pending.contains(&name) {
            migration.up(&SchemaManager::new(&connection)).await?;
            connection.execute_unprepared(&note(backend, &name)).await?;
            changes.push(take(Some(name)));
        }
    }
    Ok(changes)
}

/// Says that a change was applied, as the migrations themselves do.
fn note(backend: DbBackend, name: &str) -> String {
    let seconds = match backend {
        DbBackend::MySql => "UNIX_TIMESTAMP()",
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM now()) AS BIGINT)",
        _ => "unixepoch()",
    };
    format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{name}', {seconds})")
}

/// Writes down what would change something, and answers what is asked.
#[derive(Debug)]
struct Recorder {
    backend: DbBackend,
    existing: Existing,
    said: Arc<Mutex<Vec<String>>>,
}

impl MockDatabaseTrait for Recorder {
    fn execute(&mut self, _: usize, statement: Statement) -> Result<ExecResult, DbErr> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push(statement.to_string());
        let done = MockExecResult { last_insert_id: 0, rows_affected: 1 };
        MockDatabase::new(self.backend).append_exec_results([done]).execute(0, statement)
    }

    fn query(&mut self, _: usize, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let label = ["has_index", "has_column", "has_table"].into_iter().find(|label| statement.sql.contains(label));
        let rows = label.map(|label| BTreeMap::from([(label, Value::Bool(Some(self.has(label, &statement))))]));
        MockDatabase::new(self.backend).append_query_results([rows.into_iter().collect::<Vec<_>>()]).query(0, statement)
    }

    fn begin(&mut self) {}

    fn commit(&mut self) {}

    fn rollback(&mut self) {}

    fn drain_transaction_log(&mut self) -> Vec<Transaction> {
        Vec::new()
    }

    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    fn ping(&self) -> Result<(), DbErr> {
        Ok(())
    }
}

impl Recorder {
    /// Whether there is an index, a column or a table: the question's last texts are the table and the name.
    fn has(&self, label: &str, question: &Statement) -> bool {
        let mut names = question.values.iter().flat_map(|values| values.0.iter().rev()).filter_map(text);
        let Some(name) = names.next() else { return false };
        let table = names.next().filter(|_| label != "has_table").unwrap_or_default();
        self.planned(label, table, name).unwrap_or_else(|| {
            let known = if label == "has_index" { &self.existing.indexes } else { &self.existing.columns };
            known.contains(&(table.to_owned(), name.to_owned()))
        })
    }

    /// What the plan itself has done to it: the last word counts.
    fn planned(&self, label: &str, table: &str, name: &str) -> Option<bool> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let speaks_of = |sql: &str, name: &str| sql.contains(&format!("\"{name}\"")) || sql.contains(&format!("`{name}`"));
        said.iter().rev().filter(|sql| speaks_of(sql, name)).find_map(|sql| {
            let of_index = sql.contains(" INDEX ");
            let fits = match label {
                "has_index" => of_index,
                "has_column" => !of_index && speaks_of(sql, table),
                _ => sql.contains(" TABLE "),
            };
            match () {
                () if !fits => None,
                () if sql.starts_with("CREATE") || sql.contains(" ADD COLUMN ") => Some(true),
                () if sql.starts_with("DROP") || sql.contains(" DROP COLUMN ") => Some(false),
                () => None,
            }
        })
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => text.as_deref(),
        _ => None,
    }
}
