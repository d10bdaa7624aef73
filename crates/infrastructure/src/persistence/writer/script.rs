//! Statements of stores that need no unit of work, on the same one connection.

use crewd_application::ports::StoreError;
use sea_orm::Statement;

use crate::persistence::error::insert_error;
use crate::persistence::session::Session;

/// A few statements that are executed together or not at all.
#[derive(Clone, Debug, Default)]
pub(in crate::persistence) struct Script {
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    statement: Statement,
    key_name: &'static str,
    expected: Option<u64>,
}

impl Script {
    /// A statement that may change any number of rows.
    pub(in crate::persistence) fn any(&mut self, statement: Statement) {
        self.lines.push(Line { statement, key_name: "", expected: None });
    }

    /// A statement that must change exactly so many rows; else somebody was faster, and nothing is done:
    /// [`StoreError::Conflict`]. A taken key is called `key_name` in [`StoreError::Duplicate`].
    pub(in crate::persistence) fn exactly(&mut self, rows: u64, key_name: &'static str, statement: Statement) {
        self.lines.push(Line { statement, key_name, expected: Some(rows) });
    }
}

/// Executes a script; how many rows each of its statements changed.
pub(super) async fn execute(transaction: &Session, script: &Script) -> Result<Vec<u64>, StoreError> {
    let mut changed = Vec::with_capacity(script.lines.len());
    for line in &script.lines {
        let result = transaction.execute_raw(line.statement.clone()).await;
        let rows = result.map_err(|error| insert_error(error, line.key_name))?;
        if line.expected.is_some_and(|expected| expected != rows) {
            return Err(StoreError::Conflict);
        }
        changed.push(rows);
    }
    Ok(changed)
}
