//! One of the two databases of a move.

use std::fmt::Write as _;

use sea_orm::{DbBackend, DbErr, QueryResult, Statement, Value};

use super::catalog::{Catalog, Column, Kind, TableShape};
use super::rows::{Cell, Checksum};
use super::{catalog, progress};
use crate::persistence::database::Database;
use crate::persistence::dialect::{now_micros, numbered, restored, storable};
use crate::persistence::session::Session;

/// Rows read at once.
const BATCH: usize = 256;
/// Rows of one statement, and about how many bytes: MySQL takes 16 MiB at once, with its defaults.
const STATEMENT_ROWS: usize = 64;
const STATEMENT_BYTES: usize = 4 << 20;

/// A database, and one connection to it without a time limit.
pub(super) struct Side {
    session: Session,
    backend: DbBackend,
}

/// Some rows of a table, and the key of the last.
pub(super) struct Batch {
    pub(super) rows: Vec<Vec<Cell>>,
    pub(super) last_key: Vec<Cell>,
}

impl Side {
    pub(super) async fn of(database: &Database) -> Result<Self, DbErr> {
        let connection = database.schema_connection();
        Ok(Self { session: Session::of(connection).await?, backend: connection.get_database_backend() })
    }

    pub(super) async fn catalog(&self) -> Result<Catalog, DbErr> {
        catalog::read(&self.session, self.backend).await
    }

    pub(super) async fn execute(&self, sql: &str) -> Result<(), DbErr> {
        self.session.execute_text(sql).await
    }

    /// Gives the connection up, and what it has begun with it.
    pub(super) async fn close(&self) {
        self.session.close().await;
    }

    /// Lets nobody else write, where a database can do that: SQLite has one writer, and this is it from now on.
    pub(super) async fn keep_writers_out(&self) -> Result<(), DbErr> {
        if self.backend == DbBackend::Sqlite { self.execute("BEGIN IMMEDIATE").await } else { Ok(()) }
    }

    /// How many leases somebody holds: workers those of runs, and one process that of looking after all.
    pub(super) async fn live_leases(&self) -> Result<i64, DbErr> {
        let now = now_micros(self.backend);
        let runs = format!("SELECT COUNT(*) FROM runs WHERE lease_owner IS NOT NULL AND lease_until > {now}");
        let duties = format!("SELECT COUNT(*) FROM duties WHERE holder <> '' AND held_until > {now}");
        Ok(self.number(&runs).await? + self.number(&duties).await?)
    }

    pub(super) async fn is_empty(&self, table: &str) -> Result<bool, DbErr> {
        let sql = format!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM {} LIMIT 1) found", self.quoted(table));
        Ok(self.number(&sql).await? == 0)
    }

    pub(super) async fn count(&self, table: &str) -> Result<u64, DbErr> {
        let count = self.number(&format!("SELECT COUNT(*) FROM {}", self.quoted(table))).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    pub(super) async fn clear(&self, table: &str) -> Result<(), DbErr> {
        self.execute(&format!("DELETE FROM {}", self.quoted(table))).await
    }

    /// Tells a server's planner how large a table has become: by itself it would find out after minutes.
    pub(super) async fn gather_statistics(&self, table: &str) {
        let sql = match self.backend {
            DbBackend::MySql => format!("ANALYZE TABLE {}", self.quoted(table)),
            DbBackend::Postgres => format!("ANALYZE {}", self.quoted(table)),
            _ => return,
        };
        if let Err(error) = self.execute(&sql).await {
            tracing::debug!(%error, table, "no statistics were gathered");
        }
    }

    async fn number(&self, sql: &str) -> Result<i64, DbErr> {
        let row = self.session.query_one_raw(Statement::from_string(self.backend, sql)).await?;
        row.map_or(Ok(0), |row| row.try_get_by(0))
    }

    /// The next rows behind a key, in the order this database has.
    pub(super) async fn batch(&self, table: &str, shape: &TableShape, after: &[Cell]) -> Result<Batch, DbErr> {
        let columns: Vec<String> = shape.columns.iter().map(|column| self.selected(column)).collect();
        let (condition, values) = self.behind(shape, after);
        let key: Vec<String> = shape.key.iter().map(|name| self.quoted(name)).collect();
        let sql = format!(
            "SELECT {} FROM {}{condition} ORDER BY {} LIMIT {BATCH}",
            columns.join(","),
            self.quoted(table),
            key.join(",")
        );
        let rows = self.session.query_all_raw(self.statement(sql, values)).await?;
        let rows = rows.iter().map(|row| cells(row, shape)).collect::<Result<Vec<_>, _>>()?;
        let place = |name: &String| shape.columns.iter().position(|column| column.name == *name);
        let last_key = rows.last().map(|row| shape.key.iter().filter_map(|name| row.get(place(name)?)).cloned().collect());
        Ok(Batch { rows, last_key: last_key.unwrap_or_default() })
    }

    /// Rows of a whole table, added up.
    pub(super) async fn checksum(&self, table: &str, shape: &TableShape) -> Result<Checksum, DbErr> {
        let (mut sum, mut after) = (Checksum::default(), Vec::new());
        loop {
            let batch = self.batch(table, shape, &after).await?;
            if batch.rows.is_empty() {
                return Ok(sum);
            }
            batch.rows.iter().for_each(|row| sum.add(row));
            after = batch.last_key;
        }
    }

    /// Writes rows and how far the move has got: both or neither.
    pub(super) async fn write(&self, table: &str, shape: &TableShape, batch: &Batch) -> Result<(), DbErr> {
        self.execute("BEGIN").await?;
        let mut rows = batch.rows.as_slice();
        while !rows.is_empty() {
            let mut bytes = 0;
            let fits = rows.iter().take(STATEMENT_ROWS).take_while(|row| {
                bytes += row.iter().map(Cell::size).sum::<usize>();
                bytes <= STATEMENT_BYTES
            });
            // A row that is larger than that goes alone.
            let (now, later) = rows.split_at(fits.count().clamp(1, rows.len()));
            self.insert(table, shape, now).await?;
            rows = later;
        }
        let far = serde_json::to_string(&batch.last_key).map_err(|error| DbErr::Json(error.to_string()))?;
        self.note(table, &far).await?;
        self.execute("COMMIT").await
    }

    async fn insert(&self, table: &str, shape: &TableShape, rows: &[Vec<Cell>]) -> Result<(), DbErr> {
        let columns: Vec<String> = shape.columns.iter().map(|column| self.quoted(&column.name)).collect();
        let row = format!("({})", vec!["?"; columns.len()].join(","));
        let mut sql = format!("INSERT INTO {} ({}) VALUES {row}", self.quoted(table), columns.join(","));
        for _ in 1..rows.len() {
            let _ = write!(sql, ",{row}");
        }
        let cells = rows.iter().flat_map(|row| row.iter().zip(&shape.columns));
        let values = cells.map(|(cell, column)| self.value(cell, column.kind)).collect();
        self.session.execute_raw(self.statement(sql, values)).await.map(drop)
    }

    /// PostgreSQL wants the type of nothing, too.
    fn value(&self, cell: &Cell, kind: Kind) -> Value {
        match (cell, kind) {
            (Cell::Null, Kind::Number) => Value::BigInt(None),
            _ => cell.value(kind == Kind::Flag && self.backend == DbBackend::Postgres),
        }
    }

    /// Writes how far a table has got.
    pub(super) async fn note(&self, name: &str, far: &str) -> Result<(), DbErr> {
        let strings = |texts: [&str; 2]| texts.map(|text| Value::from(text.to_owned())).to_vec();
        let update = self.statement(progress::UPDATE.to_owned(), strings([far, name]));
        if self.session.execute_raw(update).await? == 0 {
            // MySQL counts changed rows alone: the same text again is none, and is there already.
            let is_there = self.statement(progress::FIND.to_owned(), vec![Value::from(name.to_owned())]);
            if self.session.query_one_raw(is_there).await?.is_none() {
                self.session.execute_raw(self.statement(progress::INSERT.to_owned(), strings([name, far]))).await?;
            }
        }
        Ok(())
    }

    /// What has been noted under a name.
    pub(super) async fn noted(&self, name: &str) -> Result<Option<String>, DbErr> {
        let find = self.statement(progress::FIND.to_owned(), vec![Value::from(name.to_owned())]);
        self.session.query_one_raw(find).await?.map(|row| row.try_get_by(0)).transpose()
    }

    fn statement(&self, sql: String, values: Vec<Value>) -> Statement {
        let sql = if self.backend == DbBackend::Postgres { numbered(&sql) } else { sql };
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    /// `a > x`, and for several columns what comes behind all of them together, said so that an index is walked.
    fn behind(&self, shape: &TableShape, after: &[Cell]) -> (String, Vec<Value>) {
        let key: Vec<String> = shape.key.iter().map(|name| self.quoted(name)).collect();
        let Some((first, rest)) = key.split_first().filter(|_| after.len() == key.len()) else {
            return (String::new(), Vec::new());
        };
        let value = |place: usize| after.get(place).map(|cell| cell.value(false)).into_iter();
        if rest.is_empty() {
            return (format!(" WHERE {first} > ?"), value(0).collect());
        }
        if self.backend != DbBackend::MySql {
            let marks = vec!["?"; key.len()].join(",");
            return (format!(" WHERE ({}) > ({marks})", key.join(",")), (0..key.len()).flat_map(value).collect());
        }
        // MySQL walks an index for a comparison of the first column, and not for one of rows.
        let mut values: Vec<Value> = value(0).collect();
        let mut ways = Vec::new();
        for place in 0..key.len() {
            let equal = key.iter().take(place).map(|name| format!("{name} = ? AND "));
            let own = key.get(place).map(String::as_str).unwrap_or_default();
            ways.push(format!("({}{own} > ?)", equal.collect::<String>()));
            values.extend((0..=place).flat_map(value));
        }
        (format!(" WHERE {first} >= ? AND ({})", ways.join(" OR ")), values)
    }

    /// A column as text or as a 64-bit number.
    fn selected(&self, column: &Column) -> String {
        let name = self.quoted(&column.name);
        match (column.kind, self.backend) {
            (Kind::Text, _) => name,
            (Kind::Flag, DbBackend::Postgres) => format!("CAST(CAST({name} AS INT) AS BIGINT)"),
            (_, DbBackend::MySql) => format!("CAST({name} AS SIGNED)"),
            (_, DbBackend::Postgres) => format!("CAST({name} AS BIGINT)"),
            _ => format!("CAST({name} AS INTEGER)"),
        }
    }

    fn quoted(&self, name: &str) -> String {
        if self.backend == DbBackend::MySql { format!("`{name}`") } else { format!("\"{name}\"") }
    }
}

fn cells(row: &QueryResult, shape: &TableShape) -> Result<Vec<Cell>, DbErr> {
    let cell = |(place, column): (usize, &Column)| match column.kind {
        Kind::Text => Ok(row.try_get_by::<Option<String>, _>(place)?.map_or(Cell::Null, |text| Cell::Text(escaped(text)))),
        _ => Ok(row.try_get_by::<Option<i64>, _>(place)?.map_or(Cell::Null, Cell::Number)),
    };
    shape.columns.iter().enumerate().map(cell).collect()
}

/// Files of older versions may hold U+0000 as it is.
fn escaped(text: String) -> String {
    let mut text = restored(text);
    storable(&mut text);
    text
}
