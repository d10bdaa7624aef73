//! The few places where databases want different words. Everything else is plain SQL that all of them read.

use sea_orm::{DbBackend, Statement, Value};

use super::rows::Table;

/// Row counts of multi-row statements. Few different texts, so that prepared statements are found again; all the small
/// ones, for on a server a further statement costs as much as ten further rows.
const CHUNK_SIZES: [usize; 20] = [64, 48, 32, 24, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1];

/// What an insert does when its key is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnConflict {
    /// It fails.
    Fail,
    /// The row stays as it is.
    Keep,
    /// The row is replaced, all but its key.
    Replace,
    /// Of the row the columns from this place on are replaced.
    ReplaceFrom(usize),
}

/// A statement out of a text with `?` for each value.
pub(super) fn statement(backend: DbBackend, sql: impl Into<String>, mut values: Vec<Value>) -> Statement {
    let sql = sql.into();
    for value in &mut values {
        if let Value::String(Some(text)) = value {
            storable(text);
        }
    }
    let sql = if backend == DbBackend::Postgres { numbered(&sql) } else { sql };
    Statement::from_sql_and_values(backend, sql, values)
}

/// Stands for U+0000, which PostgreSQL has no room for, and before itself. It is no character, so that it is hardly ever
/// met.
const ESCAPE: char = '\u{10FFFF}';

/// Makes a text one that every database takes; [`restored`] is the way back.
pub(super) fn storable(text: &mut String) {
    if text.contains(['\0', ESCAPE]) {
        *text = text.replace(ESCAPE, "\u{10FFFF}1").replace('\0', "\u{10FFFF}0");
    }
}

/// A text as it was before it was stored.
pub(super) fn restored(text: String) -> String {
    if text.contains(ESCAPE) { text.replace("\u{10FFFF}0", "\0").replace("\u{10FFFF}1", "\u{10FFFF}") } else { text }
}

/// The present by the clock of the database, in microseconds since 1970.
pub(super) const fn now_micros(backend: DbBackend) -> &'static str {
    match backend {
        // Free of the session's time zone and its daylight saving.
        DbBackend::MySql => "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6))",
        // The same all through a statement, so that an index can be searched with it.
        DbBackend::Postgres => "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000000 AS INTEGER)",
    }
}

/// Ends a `SELECT` whose rows are about to be changed: other writers wait. SQLite has only one writer anyway.
pub(super) const fn for_update(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::MySql | DbBackend::Postgres => " FOR UPDATE",
        _ => "",
    }
}

/// Follows the word `SELECT` of a join: the tables in this order, the rows of each further one looked up one by one. For
/// OceanBase: it keeps the plan it made when the tables were empty, when to read a whole table seemed cheapest. The others
/// take it for a comment.
pub(super) fn lookups(tables: &[&str]) -> String {
    let further = tables.get(1..).unwrap_or_default();
    format!("/*+ LEADING({}) USE_NL({}) */", tables.join(" "), further.join(" "))
}

/// Ends a `SELECT` of runs `r` that are about to be claimed: what other workers are claiming is passed over. Where that
/// cannot be said nothing is held, and of two claims that chose the same run one fails.
pub(super) const fn for_claim(backend: DbBackend, skip_locked: bool) -> &'static str {
    match backend {
        DbBackend::MySql if skip_locked => " FOR UPDATE SKIP LOCKED",
        DbBackend::Postgres if skip_locked => " FOR UPDATE OF r SKIP LOCKED",
        _ => "",
    }
}

/// A sum of whole numbers, as a whole number again.
pub(super) fn sum(backend: DbBackend, column: &str) -> String {
    let integer = if backend == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
    format!("CAST(SUM({column}) AS {integer})")
}

/// Inserts of rows whose cells lie one after the other, in as few statements as the fixed sizes allow.
pub(super) fn inserts(backend: DbBackend, table: &Table, on_conflict: OnConflict, cells: Vec<Value>) -> Vec<Statement> {
    in_chunks(table.columns.len(), cells, |rows, values| {
        statement(backend, insert_sql(backend, table, on_conflict, rows), values)
    })
}

/// Puts rows whose cells lie one after the other in the place of those with their keys, where there are any: for databases
/// on which [`OnConflict::Replace`] costs more than that.
pub(super) fn replacements(backend: DbBackend, table: &Table, cells: Vec<Value>) -> Vec<Statement> {
    let width = table.columns.len();
    let is_key: Vec<bool> = table.columns.iter().map(|column| table.key.contains(column)).collect();
    let keys: Vec<Value> =
        cells.iter().zip(is_key.iter().cycle()).filter(|(_, is_key)| **is_key).map(|(cell, _)| cell.clone()).collect();
    let row = format!("({})", vec!["?"; table.key.len()].join(","));
    let mut statements = in_chunks(table.key.len(), keys, |rows, values| {
        let list = vec![row.as_str(); rows].join(",");
        statement(backend, format!("DELETE FROM {} WHERE ({}) IN ({list})", table.name, table.key.join(",")), values)
    });
    statements.extend(in_chunks(width, cells, |rows, values| {
        statement(backend, insert_sql(backend, table, OnConflict::Fail, rows), values)
    }));
    statements
}

/// Changes rows that are there, by MySQL's protocol: of each its one key, then the columns from a place on, all lying one
/// after the other.
pub(super) fn updates_from(backend: DbBackend, table: &Table, first: usize, cells: Vec<Value>) -> Vec<Statement> {
    let changing = table.columns.get(first..).unwrap_or_default();
    let Some(key) = table.key.first() else { return Vec::new() };
    let columns: Vec<&str> = std::iter::once(key).chain(changing).copied().collect();
    let named: Vec<String> = columns.iter().map(|column| format!("? AS {column}")).collect();
    let further = format!(" UNION ALL SELECT {}", vec!["?"; columns.len()].join(","));
    let set: Vec<String> = changing.iter().map(|column| format!("t.{column} = v.{column}")).collect();
    in_chunks(columns.len(), cells, |rows, values| {
        let sql = format!(
            "UPDATE {} {} t JOIN (SELECT {}{}) v ON t.{key} = v.{key} SET {}",
            lookups(&["v", "t"]),
            table.name,
            named.join(","),
            further.repeat(rows.saturating_sub(1)),
            set.join(","),
        );
        statement(backend, sql, values)
    })
}

/// Statements for rows of a width, in as few as the fixed sizes allow.
fn in_chunks(width: usize, cells: Vec<Value>, one: impl Fn(usize, Vec<Value>) -> Statement) -> Vec<Statement> {
    let mut cells = cells.into_iter();
    let mut statements = Vec::new();
    for size in CHUNK_SIZES {
        while cells.len() >= size * width {
            statements.push(one(size, cells.by_ref().take(size * width).collect()));
        }
    }
    statements
}

fn insert_sql(backend: DbBackend, table: &Table, on_conflict: OnConflict, rows: usize) -> String {
    let mut row = String::from("(?");
    row.push_str(&",?".repeat(table.columns.len().saturating_sub(1)));
    row.push(')');
    let mut sql = format!("INSERT INTO {} ({}) VALUES {row}", table.name, table.columns.join(","));
    for _ in 1..rows {
        sql.push(',');
        sql.push_str(&row);
    }
    sql.push_str(&conflict_clause(backend, table, on_conflict));
    sql
}

/// Inserts those of some rows that a condition is true of. It speaks of the row's cells as `v.<column>`.
pub(super) fn inserts_where(backend: DbBackend, table: &Table, condition: &str, cells: Vec<Value>) -> Vec<Statement> {
    in_chunks(table.columns.len(), cells, |rows, values| statement(backend, insert_where_sql(table, condition, rows), values))
}

fn insert_where_sql(table: &Table, condition: &str, rows: usize) -> String {
    let first: Vec<String> = table.columns.iter().map(|column| format!("? AS {column}")).collect();
    let mut further = String::from(" UNION ALL SELECT ?");
    further.push_str(&",?".repeat(table.columns.len().saturating_sub(1)));
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM (SELECT {}{}) v WHERE {condition}",
        table.name,
        table.columns.join(","),
        table.columns_of("v"),
        first.join(","),
        further.repeat(rows.saturating_sub(1)),
    )
}

fn conflict_clause(backend: DbBackend, table: &Table, on_conflict: OnConflict) -> String {
    let first = if let OnConflict::ReplaceFrom(first) = on_conflict { first } else { 0 };
    let changing = || table.columns.iter().skip(first).filter(|column| !table.key.contains(column));
    let join = |parts: Vec<String>| parts.join(",");
    match (on_conflict, backend) {
        (OnConflict::Fail, _) => String::new(),
        (OnConflict::Keep, DbBackend::MySql) => {
            let key = table.key.iter().take(1).map(|column| format!("{column} = {column}")).collect();
            format!(" ON DUPLICATE KEY UPDATE {}", join(key))
        }
        (OnConflict::Keep, _) => format!(" ON CONFLICT ({}) DO NOTHING", table.key.join(",")),
        (OnConflict::Replace | OnConflict::ReplaceFrom(_), DbBackend::MySql) => {
            let columns = changing().map(|column| format!("{column} = VALUES({column})")).collect();
            format!(" ON DUPLICATE KEY UPDATE {}", join(columns))
        }
        (OnConflict::Replace | OnConflict::ReplaceFrom(_), _) => {
            let columns = changing().map(|column| format!("{column} = excluded.{column}")).collect();
            format!(" ON CONFLICT ({}) DO UPDATE SET {}", table.key.join(","), join(columns))
        }
    }
}

/// The inside of `IN (…)` for some values. The list is filled up by repeating the last value, again so that prepared
/// statements are found again. Nothing is found with no value at all.
pub(super) fn in_list(values: &mut Vec<Value>, wanted: impl IntoIterator<Item = Value>) -> String {
    let before = values.len();
    values.extend(wanted);
    let count = values.len() - before;
    let Some(last) = values.last().filter(|_| count > 0).cloned() else { return "NULL".to_owned() };
    values.resize(before + count.next_power_of_two(), last);
    let mut marks = "?,".repeat(count.next_power_of_two());
    marks.pop();
    marks
}

/// PostgreSQL numbers its marks. No text of ours has a question mark inside quotes.
pub(super) fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 32);
    for (place, part) in sql.split('?').enumerate() {
        if place > 0 {
            text.push('$');
            text.push_str(&place.to_string());
        }
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table { name: "t", key_name: "k", key: &["a"], columns: &["a", "b"] };

    #[test]
    fn many_rows_become_few_statements() {
        let cells = vec![Value::BigInt(Some(1)); 2 * (64 + 32 + 1)];
        let statements = inserts(DbBackend::Sqlite, &TABLE, OnConflict::Fail, cells);
        let rows: Vec<usize> = statements.iter().map(|one| one.values.as_ref().unwrap().0.len() / 2).collect();
        assert_eq!(rows, [64, 32, 1]);
        assert_eq!(statements[2].sql, "INSERT INTO t (a,b) VALUES (?,?)");
    }

    #[test]
    fn each_database_has_its_upsert() {
        let clause = |backend, on_conflict| conflict_clause(backend, &TABLE, on_conflict);
        assert_eq!(clause(DbBackend::Sqlite, OnConflict::Replace), " ON CONFLICT (a) DO UPDATE SET b = excluded.b");
        assert_eq!(clause(DbBackend::MySql, OnConflict::Replace), " ON DUPLICATE KEY UPDATE b = VALUES(b)");
        assert_eq!(clause(DbBackend::Postgres, OnConflict::Keep), " ON CONFLICT (a) DO NOTHING");
        assert_eq!(clause(DbBackend::MySql, OnConflict::Keep), " ON DUPLICATE KEY UPDATE a = a");
        let wide = Table { columns: &["a", "b", "c"], ..TABLE };
        let some = conflict_clause(DbBackend::MySql, &wide, OnConflict::ReplaceFrom(2));
        assert_eq!(some, " ON DUPLICATE KEY UPDATE c = VALUES(c)");
    }

    #[test]
    fn rows_that_are_there_are_replaced_or_updated_together() {
        let row = |number| [Value::BigInt(Some(number)), Value::BigInt(Some(-number))];
        let cells: Vec<Value> = (1..=3).flat_map(row).collect();
        let replaced = replacements(DbBackend::MySql, &TABLE, cells.clone());
        assert_eq!(replaced[0].sql, "DELETE FROM t WHERE (a) IN ((?),(?),(?))");
        let keys: Vec<Value> = (1..=3).map(|number| Value::BigInt(Some(number))).collect();
        assert_eq!(replaced[0].values.as_ref().unwrap().0, keys);
        assert_eq!((replaced[1].sql.as_str(), replaced.len()), ("INSERT INTO t (a,b) VALUES (?,?),(?,?),(?,?)", 2));
        let updated = updates_from(DbBackend::MySql, &TABLE, 1, cells);
        let all = "UPDATE /*+ LEADING(v t) USE_NL(t) */ t t JOIN (SELECT ? AS a,? AS b UNION ALL SELECT ?,? UNION ALL SELECT ?,?) v \
                   ON t.a = v.a SET t.b = v.b";
        assert_eq!((updated[0].sql.as_str(), updated.len()), (all, 1));
    }

    #[test]
    fn rows_are_inserted_on_a_condition() {
        let cells = vec![Value::BigInt(Some(1)); 2 * 3];
        let statements = inserts_where(DbBackend::Sqlite, &TABLE, "v.a > 0", cells);
        let texts: Vec<&str> = statements.iter().map(|one| one.sql.as_str()).collect();
        let all = "INSERT INTO t (a,b) SELECT v.a,v.b FROM (SELECT ? AS a,? AS b UNION ALL SELECT ?,? UNION ALL SELECT ?,?) v WHERE v.a > 0";
        assert_eq!(texts, [all]);
    }

    #[test]
    fn what_cannot_be_stored_everywhere_comes_back() {
        for text in ["", "plain \u{4f60}", "a\0b", "\0", "\u{10FFFF}", "\u{10FFFF}0\0\u{10FFFF}1", "\u{10FFFF}\0"] {
            let mut stored = text.to_owned();
            storable(&mut stored);
            assert!(!stored.contains('\0'));
            assert_eq!(restored(stored), text);
        }
    }

    #[test]
    fn lists_have_few_lengths() {
        let mut values = Vec::new();
        assert_eq!(in_list(&mut values, (1..=3).map(|n| Value::BigInt(Some(n)))), "?,?,?,?");
        assert_eq!(values.last(), Some(&Value::BigInt(Some(3))));
        assert_eq!(in_list(&mut values, []), "NULL");
    }

    #[test]
    fn marks_are_numbered_for_postgresql() {
        assert_eq!(statement(DbBackend::Postgres, "a = ? AND b = ?", Vec::new()).sql, "a = $1 AND b = $2");
        assert_eq!(statement(DbBackend::MySql, "a = ?", Vec::new()).sql, "a = ?");
    }
}
