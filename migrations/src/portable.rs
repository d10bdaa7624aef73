//! Columns and tables that mean the same on SQLite, MySQL, OceanBase and PostgreSQL.
//!
//! Ids are UUIDs as text, instants are microseconds since 1970 in UTC, JSON is long text, money and tokens are whole
//! numbers. Text in a key has a length, and all columns of one index have at most 768 characters together.

use sea_orm_migration::prelude::{
    ColumnDef, ConditionalStatement, DbErr, Expr, ExprTrait, Index, IndexCreateStatement, SchemaManager, Table,
    TableCreateStatement,
};
use sea_orm_migration::sea_orm::DbBackend;

/// A table that is left alone if it is there. On MySQL text is UTF-8 and compared byte by byte, as elsewhere.
pub(crate) fn table(manager: &SchemaManager<'_>, name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table.table(name).if_not_exists();
    if manager.get_database_backend() == DbBackend::MySql {
        table.character_set("utf8mb4").collate("utf8mb4_bin");
    }
    table
}

/// Adds an index unless it is there: MySQL cannot take a change back half-way, so a change must bear a second try.
pub(crate) async fn add_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    make_index(manager, table, name, columns, Index::create()).await
}

/// Adds an index whose keys are taken once each, unless it is there.
pub(crate) async fn add_unique_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    make_index(manager, table, name, columns, Index::create().unique().take()).await
}

/// Adds an index of those rows alone that have something in a column, unless it is there. MySQL has no such thing and
/// keeps all rows in it: the same is found, at a higher price of writing.
pub(crate) async fn add_sparse_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
    present: &'static str,
) -> Result<(), DbErr> {
    let mut index = Index::create();
    if manager.get_database_backend() != DbBackend::MySql {
        index.cond_where(Expr::col(present).is_not_null());
    }
    make_index(manager, table, name, columns, index).await
}

/// Removes an index if it is there.
pub(crate) async fn drop_index(manager: &SchemaManager<'_>, table: &'static str, name: &'static str) -> Result<(), DbErr> {
    if !manager.has_index(table, name).await? {
        return Ok(());
    }
    manager.drop_index(Index::drop().name(name).table(table).to_owned()).await
}

/// Adds columns to a table, those that are not there yet. Rows that are there get the columns' defaults.
pub(crate) async fn add_columns(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: impl IntoIterator<Item = ColumnDef> + Send,
) -> Result<(), DbErr> {
    // SQLite takes one column a statement.
    for column in columns.into_iter().collect::<Vec<_>>() {
        if !manager.has_column(table, column.get_column_name()).await? {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
    }
    Ok(())
}

/// Removes columns of a table, those that are there. No index may have them.
pub(crate) async fn drop_columns(
    manager: &SchemaManager<'_>,
    table: &'static str,
    columns: &[&'static str],
) -> Result<(), DbErr> {
    for column in columns {
        if manager.has_column(table, *column).await? {
            manager.alter_table(Table::alter().table(table).drop_column(*column).take()).await?;
        }
    }
    Ok(())
}

async fn make_index(
    manager: &SchemaManager<'_>,
    table: &'static str,
    name: &'static str,
    columns: &[&'static str],
    mut index: IndexCreateStatement,
) -> Result<(), DbErr> {
    if manager.has_index(table, name).await? {
        return Ok(());
    }
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    manager.create_index(index).await
}

/// Removes a table and its indexes if it is there.
pub(crate) async fn drop_table(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager.drop_table(Table::drop().table(name).if_exists().take()).await
}

/// A UUID as text.
pub(crate) fn id(name: &'static str) -> ColumnDef {
    text(name, 36)
}

/// Text of limited length.
pub(crate) fn text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).not_null().take()
}

/// Text of limited length, or nothing.
pub(crate) fn optional_text(name: &'static str, length: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(length).null().take()
}

/// Text or JSON without a limit; never part of an index.
pub(crate) fn long_text(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    long(manager, name).not_null().take()
}

/// Text or JSON without a limit, or nothing.
pub(crate) fn optional_long_text(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    long(manager, name).null().take()
}

/// A whole number: a count, tokens, millionths of a dollar.
pub(crate) fn number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

/// A whole number, or nothing.
pub(crate) fn optional_number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().take()
}

/// A whole number of few values, such as a rank.
pub(crate) fn small_number(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).small_integer().not_null().take()
}

/// Yes or no.
pub(crate) fn flag(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

/// Microseconds since 1970, UTC.
pub(crate) fn instant(name: &'static str) -> ColumnDef {
    number(name)
}

/// Microseconds since 1970, UTC, or nothing.
pub(crate) fn optional_instant(name: &'static str) -> ColumnDef {
    optional_number(name)
}

/// The counts and the money of a model call, a step or a run.
pub(crate) fn usage() -> [ColumnDef; 6] {
    ["input_tokens", "output_tokens", "cached_input_tokens", "llm_calls", "tool_calls", "cost_usd_micros"].map(number)
}

fn long(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    // MySQL's plain TEXT ends at 64 KiB.
    if manager.get_database_backend() == DbBackend::MySql {
        column.custom("LONGTEXT")
    } else {
        column.text()
    };
    column
}
