//! What a database says of its tables.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{DbBackend, DbErr, Statement};

use super::progress;
use crate::persistence::schema::LOCK_TABLE;
use crate::persistence::session::Session;

/// Tables that are not moved, for they belong to each database: the list of migrations, the rows that locks are taken on,
/// and who is at work on it now.
const NOT_MOVED: [&str; 5] = ["seaql_migrations", "locks", "duties", LOCK_TABLE, progress::TABLE];

/// What lies in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number, or yes and no where the database has no type for that.
    Number,
    /// Yes or no, in a type of its own.
    Flag,
    /// Text.
    Text,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// A table: its columns by name, and those of its primary key in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TableShape {
    pub(super) columns: Vec<Column>,
    pub(super) key: Vec<String>,
}

/// Tables by name.
pub(super) type Catalog = BTreeMap<String, TableShape>;

/// Every table of a database that is moved.
pub(super) async fn read(session: &Session, backend: DbBackend) -> Result<Catalog, DbErr> {
    let mut catalog = Catalog::new();
    let mut keys: BTreeMap<String, BTreeMap<i64, String>> = BTreeMap::new();
    for row in session.query_all_raw(Statement::from_string(backend, question(backend))).await? {
        let (table, column, kind): (String, String, String) = (row.try_get_by(0)?, row.try_get_by(1)?, row.try_get_by(2)?);
        let place: Option<i64> = row.try_get_by(3)?;
        if NOT_MOVED.contains(&table.as_str()) {
            continue;
        }
        if let Some(place) = place.filter(|place| *place > 0) {
            keys.entry(table.clone()).or_default().insert(place, column.clone());
        }
        catalog.entry(table).or_default().columns.push(Column { name: column, kind: kind_of(&kind) });
    }
    for (name, shape) in &mut catalog {
        shape.columns.sort_by(|one, other| one.name.cmp(&other.name));
        shape.key = keys.remove(name).unwrap_or_default().into_values().collect();
    }
    Ok(catalog)
}

/// Table, column, type, and the place in the primary key.
const fn question(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::MySql => {
            "SELECT CAST(c.table_name AS CHAR), CAST(c.column_name AS CHAR), CAST(c.data_type AS CHAR), \
             CAST(k.ordinal_position AS SIGNED) FROM information_schema.columns c \
             LEFT JOIN information_schema.key_column_usage k ON k.table_schema = c.table_schema AND k.table_name = c.table_name \
             AND k.column_name = c.column_name AND k.constraint_name = 'PRIMARY' WHERE c.table_schema = DATABASE()"
        }
        DbBackend::Postgres => {
            "SELECT c.table_name::text, c.column_name::text, c.data_type::text, k.ordinal_position::bigint \
             FROM information_schema.columns c LEFT JOIN (information_schema.table_constraints t \
             JOIN information_schema.key_column_usage k ON k.constraint_schema = t.constraint_schema \
             AND k.constraint_name = t.constraint_name AND k.table_name = t.table_name) \
             ON t.constraint_type = 'PRIMARY KEY' AND k.table_schema = c.table_schema AND k.table_name = c.table_name \
             AND k.column_name = c.column_name WHERE c.table_schema = current_schema()"
        }
        _ => {
            "SELECT m.name, p.name, p.type, p.pk FROM sqlite_master m JOIN pragma_table_info(m.name) p \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
        }
    }
}

fn kind_of(name: &str) -> Kind {
    let name = name.to_lowercase();
    match () {
        () if name.contains("bool") => Kind::Flag,
        () if name.contains("int") => Kind::Number,
        () => Kind::Text,
    }
}

/// What one database has and the other has not: tables, and `table.column`s.
pub(super) fn differences(one: &Catalog, other: &Catalog) -> Vec<String> {
    let names = |catalog: &Catalog| -> BTreeSet<String> {
        let columns =
            catalog.iter().flat_map(|(table, shape)| shape.columns.iter().map(move |column| format!("{table}.{}", column.name)));
        columns.collect()
    };
    names(one).symmetric_difference(&names(other)).cloned().collect()
}
