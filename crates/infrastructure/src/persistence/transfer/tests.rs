use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crewd_test_services::Service;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::{MovedTable, TransferError, is_half_moved, move_database};
use crate::persistence::{Database, DatabaseConfig, create_database, migrate_down, migrate_up};

/// More than one batch, so that the key of a batch counts.
const ROWS: i64 = 300;

struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn config(&self, name: &str) -> DatabaseConfig {
        DatabaseConfig::new(format!("sqlite://{}", self.folder.path().join(name).display()))
    }

    /// An installation with rows in every table.
    async fn installation(&self, name: &str) -> DatabaseConfig {
        let config = self.config(name);
        let database = Database::connect(config.clone()).await.unwrap();
        migrate_up(&database).await.unwrap();
        fill(database.schema_connection()).await;
        database.close().await.unwrap();
        config
    }
}

async fn texts(connection: &DatabaseConnection, sql: &str) -> Vec<Vec<String>> {
    let rows = connection.query_all_raw(Statement::from_string(connection.get_database_backend(), sql)).await.unwrap();
    let width = rows.first().map_or(0, |row| row.column_names().len());
    rows.iter().map(|row| (0..width).map(|place| row.try_get_by(place).unwrap()).collect()).collect()
}

/// Rows whose cells depend on nothing but the table's description: numbers below zero, nothing, quotes, characters
/// beyond the first plane, and what stands for U+0000.
async fn fill(connection: &DatabaseConnection) {
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('seaql_migrations', 'locks', 'duties')";
    for table in texts(connection, tables).await.concat() {
        let question = format!(
            "SELECT name, lower(type), CAST(\"notnull\" AS TEXT), CAST(pk AS TEXT) FROM pragma_table_info('{table}') ORDER BY cid"
        );
        let columns = texts(connection, &question).await;
        let cells = columns.iter().enumerate().map(|(place, column)| match (column[1].as_str(), column[3].as_str()) {
            (kind, key) if key != "0" && kind.contains("int") => "n".to_owned(),
            // Two values in the first column of a longer key: the rest of it must count, too.
            (_, "1") if columns.iter().any(|other| other[3] == "2") => "'k' || (n % 2)".to_owned(),
            (_, key) if key != "0" => "'k' || n".to_owned(),
            // A shadow of a key may be unique as well.
            _ if column[2] == "0" => format!("CASE n % 3 WHEN 0 THEN NULL ELSE {} END", filler(&column[1], place)),
            _ => filler(&column[1], place),
        });
        let cells: Vec<String> = cells.collect();
        let names: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column[0])).collect();
        let sql = format!(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {ROWS}) \
             INSERT INTO \"{table}\" ({}) SELECT {} FROM c",
            names.join(","),
            cells.join(",")
        );
        connection.execute_unprepared(&sql).await.unwrap_or_else(|error| panic!("{table}: {error}: {sql}"));
    }
    // Nobody holds them.
    connection.execute_unprepared("UPDATE runs SET lease_owner = NULL, lease_until = NULL").await.unwrap();
}

fn filler(kind: &str, place: usize) -> String {
    match kind {
        kind if kind.contains("bool") => "n % 2".to_owned(),
        kind if kind.contains("small") => "n % 100".to_owned(),
        kind if kind.contains("int") => format!("{place} - n * 40000000000"),
        "text" => "'{\"text\": \"o''茶🍵' || char(1114111) || '0' || n || '\\\"}'".to_owned(),
        _ => format!("'v{place} é' || n"),
    }
}

async fn moved(from: &DatabaseConfig, to: &DatabaseConfig) -> Result<Vec<MovedTable>, TransferError> {
    move_database(from.clone(), to.clone(), |_, _, _| {}).await
}

/// There, and back into another file: the same rows.
async fn arrives_whole(target: DatabaseConfig) {
    let files = Files::new();
    let source = files.installation("source.db").await;
    let there = moved(&source, &target).await.unwrap();
    assert!(there.len() >= 15, "{there:?}");
    for table in &there {
        assert_eq!(table.rows, ROWS as u64, "{}", table.name);
    }
    let back = moved(&target, &files.config("back.db")).await.unwrap();
    assert_eq!(there, back);
    assert!(matches!(moved(&source, &target).await, Err(TransferError::NotEmpty(_))), "it is not done twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_in_a_file() {
    let files = Files::new();
    arrives_whole(files.config("target.db")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_on_mariadb() {
    let Some(url) = Service::MariaDb.new_database() else { return };
    arrives_whole(DatabaseConfig::new(url)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_on_postgres() {
    let Some(url) = Service::Postgres.new_database() else { return };
    arrives_whole(DatabaseConfig::new(url)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_arrives_on_oceanbase() {
    let Some(url) = Service::OceanBase.new_database() else { return };
    arrives_whole(DatabaseConfig::new(url)).await;
}

/// Moves until some rows have been written, and no further.
async fn broken_off(source: &DatabaseConfig, target: &DatabaseConfig, batches: u64) {
    let (stop, count) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let tell = {
        let stop = stop.clone();
        move |_: &str, _, _| {
            if count.fetch_add(1, Ordering::Relaxed) + 1 == batches {
                stop.notify_one();
            }
        }
    };
    tokio::select! {
        biased;
        () = stop.notified() => {}
        result = move_database(source.clone(), target.clone(), tell) => panic!("it came to its end: {result:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_was_broken_off_goes_on() {
    let files = Files::new();
    let (source, target) = (files.installation("source.db").await, files.config("target.db"));
    broken_off(&source, &target, 7).await;
    let other = files.installation("other.db").await;
    assert!(matches!(moved(&other, &target).await, Err(TransferError::OtherSource(_))));
    let mut told = Vec::new();
    let begun = Database::connect(target.clone()).await.unwrap();
    assert!(is_half_moved(&begun).await.unwrap(), "nobody may work there");
    begun.close().await.unwrap();
    let onwards = moved(&target, &files.config("third.db")).await;
    assert!(matches!(onwards, Err(TransferError::Unfinished)), "{onwards:?}");
    let done = move_database(source, target.clone(), |table, rows, all| told.push((table.to_owned(), rows, all))).await.unwrap();
    assert!(done.iter().all(|table| table.rows == ROWS as u64), "{done:?}");
    // Two batches a table: three tables were there, and half of the fourth.
    assert_eq!(told.len(), 2 * done.len() - 7, "{told:?}");
    assert_eq!(told[0], (done[3].name.clone(), ROWS as u64, ROWS as u64));
    let whole = Database::connect(target).await.unwrap();
    assert!(!is_half_moved(&whole).await.unwrap());
    whole.close().await.unwrap();
}

/// Then it would have to be told where to go on, as PostgreSQL's sequences must be.
#[tokio::test]
async fn no_column_counts_by_itself() {
    let files = Files::new();
    let database = Database::connect(files.config("new.db")).await.unwrap();
    migrate_up(&database).await.unwrap();
    let sql = "SELECT name FROM sqlite_master WHERE sql LIKE '%autoincrement%'";
    assert_eq!(texts(database.schema_connection(), sql).await, Vec::<Vec<String>>::new());
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn characters_that_servers_do_not_take_arrive_escaped() {
    let files = Files::new();
    let source = files.installation("source.db").await;
    let database = Database::connect(source.clone()).await.unwrap();
    let older = "UPDATE approvals SET comment = 'a' || char(0) || 'b' WHERE id = 'k1'";
    database.schema_connection().execute_unprepared(older).await.unwrap();
    database.close().await.unwrap();
    let target = match Service::Postgres.new_database() {
        Some(url) => DatabaseConfig::new(url),
        None => files.config("target.db"),
    };
    moved(&source, &target).await.unwrap();
    let database = Database::connect(target).await.unwrap();
    let question = "SELECT comment FROM approvals WHERE id = 'k1'";
    assert_eq!(texts(database.schema_connection(), question).await, [["a\u{10FFFF}0b"]]);
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_made_where_others_have_tables() {
    let files = Files::new();
    let source = files.installation("source.db").await;
    let target = files.config("target.db");
    let database = Database::connect(target.clone()).await.unwrap();
    database.schema_connection().execute_unprepared("CREATE TABLE guests (id TEXT PRIMARY KEY)").await.unwrap();
    let refused = moved(&source, &target).await;
    assert!(matches!(&refused, Err(TransferError::SchemasDiffer(names)) if *names == ["guests"]), "{refused:?}");
    let tables = texts(database.schema_connection(), "SELECT name FROM sqlite_master WHERE type = 'table'").await;
    assert_eq!(tables, [["guests"]]);
    database.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changed_between_two_calls_is_found_and_copied_again() {
    let files = Files::new();
    let (source, target) = (files.installation("source.db").await, files.config("target.db"));
    broken_off(&source, &target, 11).await;
    let database = Database::connect(source.clone()).await.unwrap();
    let first: &str = "DELETE FROM approvals WHERE id = 'k3'";
    database.schema_connection().execute_unprepared(first).await.unwrap();
    database.close().await.unwrap();
    let done = moved(&source, &target).await.unwrap();
    let approvals = done.iter().find(|table| table.name == "approvals").unwrap();
    assert_eq!(approvals.rows, ROWS as u64 - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_does_not_keep_what_it_is_given_is_found_out() {
    let files = Files::new();
    let (source, target) = (files.installation("source.db").await, files.config("target.db"));
    let database = Database::connect(target.clone()).await.unwrap();
    migrate_up(&database).await.unwrap();
    let forgets = "CREATE TRIGGER forgets AFTER INSERT ON runs WHEN NEW.id = 'k9' \
                   BEGIN UPDATE runs SET output = 'another' WHERE id = NEW.id; END";
    database.schema_connection().execute_unprepared(forgets).await.unwrap();
    let differs = moved(&source, &target).await.unwrap_err();
    assert_eq!(differs.code(), "verification_failed");
    assert!(differs.to_string().starts_with("the table runs differs: 300 rows"), "{differs}");
    assert!(is_half_moved(&database).await.unwrap(), "nobody works with it");
    database.schema_connection().execute_unprepared("DROP TRIGGER forgets").await.unwrap();
    database.close().await.unwrap();
    moved(&source, &target).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_moved_is_refused() {
    let files = Files::new();
    let source = files.installation("source.db").await;
    let target = files.config("target.db");
    assert!(matches!(moved(&source, &source).await, Err(TransferError::SameDatabase)));
    let missing = moved(&files.config("none.db"), &target).await;
    assert!(matches!(missing, Err(TransferError::NoInstallation(_))), "{missing:?}");
    assert!(!files.folder.path().join("none.db").exists(), "nothing was made");

    let database = Database::connect(source.clone()).await.unwrap();
    let held = "UPDATE runs SET lease_owner = 'w', lease_until = 9999999999999999 WHERE id IN ('k1', 'k2')";
    database.schema_connection().execute_unprepared(held).await.unwrap();
    let in_use = moved(&source, &target).await;
    assert!(matches!(in_use, Err(TransferError::InUse(2))), "{in_use:?}");
    database.schema_connection().execute_unprepared("UPDATE runs SET lease_until = 1").await.unwrap();
    let looks_after = "INSERT INTO duties (name, holder, epoch, held_until) VALUES ('upkeep', 'p', 1, 9999999999999999)";
    database.schema_connection().execute_unprepared(looks_after).await.unwrap();
    assert!(matches!(moved(&source, &target).await, Err(TransferError::InUse(1))), "a server without work");
    database.schema_connection().execute_unprepared("UPDATE duties SET held_until = 1").await.unwrap();
    database.schema_connection().execute_unprepared("CREATE TABLE guests (id TEXT PRIMARY KEY)").await.unwrap();
    let strange = moved(&source, &target).await;
    assert!(matches!(&strange, Err(TransferError::SchemasDiffer(names)) if *names == ["guests.id"]), "{strange:?}");
    database.schema_connection().execute_unprepared("DROP TABLE guests").await.unwrap();
    database.close().await.unwrap();
    moved(&source, &target).await.unwrap();

    let old = files.installation("old.db").await;
    let database = Database::connect(old.clone()).await.unwrap();
    migrate_down(&database, 1).await.unwrap();
    database.close().await.unwrap();
    assert!(matches!(moved(&old, &files.config("new.db")).await, Err(TransferError::NotCurrent)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_there_and_empty_will_do() {
    let Some(url) = Service::Postgres.new_database() else { return };
    let config = DatabaseConfig::new(url);
    create_database(&config).await.unwrap();
    let files = Files::new();
    assert!(moved(&files.installation("source.db").await, &config).await.is_ok());
}
