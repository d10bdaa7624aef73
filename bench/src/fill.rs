//! A database with many rows: two real tasks, one that has ended and one that waits, copied by the database itself.

use std::time::{Duration, Instant};

use crewd_engines::{Connection, Engine};

use crate::load::{Client, submission};
use crate::site::Site;

/// Rows that one statement makes.
const BATCH: u64 = 10_000;
/// Copies of ended tasks have this at the end of their ids' first half; it sorts before ids of today.
const ENDED: &str = "01900000-0000-7000";
/// Copies of waiting ones.
const WAITING: &str = "01900001-0000-7000";
/// Nobody is refused because the queue is long, and nobody moves up while it is measured.
pub(crate) const ROOMY: [(&str, &str); 3] =
    [("APP_MAX_QUEUED_PER_TENANT", "10000000"), ("APP_MAX_QUEUED", "10000000"), ("APP_QUEUE_AGING", "86400")];

/// Fills the installation's database; gives the time it took.
///
/// An ended task is its row, its run and its first and last event; its other events and its steps are left out.
pub(crate) async fn fill(site: &Site, ended: u64, waiting: u64) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let (of_ended, of_waiting) = templates(site).await?;
    let mut connection = site.connection().await?;
    numbers(&mut connection).await?;
    for (template, prefix, count) in [(of_ended, ENDED, ended), (of_waiting, WAITING, waiting)] {
        let statements = statements(&mut connection, &template, prefix).await?;
        let mut done = 0;
        while done < count {
            let batch = BATCH.min(count - done);
            connection.execute("BEGIN").await?;
            for statement in &statements {
                let sql = statement.replace("@offset", &done.to_string()).replace("@batch", &batch.to_string());
                connection.execute(&sql).await?;
            }
            connection.execute("COMMIT").await?;
            done += batch;
        }
        if count > 0 {
            eprintln!("  {count} copies after {:.0} s", begin.elapsed().as_secs_f64());
        }
    }
    connection.execute("DROP TABLE bench_numbers").await?;
    settle(&mut connection).await?;
    connection.close().await;
    Ok(begin.elapsed())
}

/// A past is long written: what a server puts off of so many rows is not to be measured.
async fn settle(connection: &mut Connection) -> anyhow::Result<()> {
    /// For what a server does by itself.
    const REST: Duration = Duration::from_secs(20);
    match connection.engine() {
        Engine::Sqlite => {}
        Engine::Postgres => {
            // As its own service does a minute later.
            connection.execute("VACUUM ANALYZE").await?;
            connection.execute("CHECKPOINT").await?;
        }
        Engine::Mysql => {
            // OceanBase writes its memory out; the others do not know the words.
            let _ = connection.execute("ALTER SYSTEM MINOR FREEZE").await;
            tokio::time::sleep(REST).await;
        }
    }
    Ok(())
}

/// Ids of a task that has ended and of one that waits.
async fn templates(site: &Site) -> anyhow::Result<(String, String)> {
    let body = submission("single");
    let ended = {
        let crewd = site.start(&ROOMY)?;
        let mut client = Client::connect(crewd.port).await?;
        let id = client.submit(&body).await?;
        anyhow::ensure!(client.wait(&id, Duration::from_millis(20)).await?, "the first task failed");
        id
    };
    let crewd = site.start_as("serve", &ROOMY)?;
    let waiting = Client::connect(crewd.port).await?.submit(&body).await?;
    Ok((ended, waiting))
}

/// A table with the numbers from 0 to 9,999.
async fn numbers(connection: &mut Connection) -> anyhow::Result<()> {
    connection.execute("CREATE TABLE bench_numbers (n BIGINT PRIMARY KEY)").await?;
    for start in (0..BATCH).step_by(1_000) {
        let rows: Vec<String> = (start..start + 1_000).map(|number| format!("({number})")).collect();
        connection.execute(&format!("INSERT INTO bench_numbers VALUES {}", rows.join(","))).await?;
    }
    Ok(())
}

/// Statements that copy the rows of a task; `@offset` and `@batch` say which copies.
async fn statements(connection: &mut Connection, task: &str, prefix: &str) -> anyhow::Result<Vec<String>> {
    let engine = connection.engine();
    let of_task = id(engine, &format!("{prefix}-8000-"));
    let of_run = id(engine, &format!("{prefix}-9000-"));
    let copied = [
        ("tasks", format!("id = '{task}'")),
        ("runs", format!("task_id = '{task}'")),
        ("run_events", format!("task_id = '{task}' AND seq = 1")),
        (
            "run_events",
            format!("task_id = '{task}' AND seq > 1 AND seq = (SELECT MAX(seq) FROM run_events WHERE task_id = '{task}')"),
        ),
    ];
    let mut statements = Vec::new();
    for (table, condition) in copied {
        let found = connection.rows(&format!("SELECT * FROM {table} WHERE {condition}")).await?;
        let Some(row) = found.rows.first() else { continue };
        let cells = found.columns.iter().zip(row).map(|(column, cell)| match (table, column.as_str()) {
            ("tasks", "id") | (_, "task_id") => of_task.clone(),
            ("runs", "id") | (_, "run_id" | "current_run") => of_run.clone(),
            (_, "created_at") => cell.as_ref().map_or("NULL".to_owned(), |micros| format!("{micros} + n + @offset")),
            _ => cell.as_ref().map_or("NULL".to_owned(), |text| quoted(engine, text)),
        });
        let cells: Vec<String> = cells.collect();
        let columns: Vec<String> = found.columns.iter().map(|column| named(engine, column)).collect();
        statements.push(format!(
            "INSERT INTO {table} ({}) SELECT {} FROM bench_numbers WHERE n < @batch",
            columns.join(", "),
            cells.join(", ")
        ));
    }
    anyhow::ensure!(statements.len() >= 3, "the task {task} has no rows");
    Ok(statements)
}

/// An id that ends with the number of the copy in twelve digits.
fn id(engine: Engine, prefix: &str) -> String {
    match engine {
        Engine::Sqlite => format!("'{prefix}' || printf('%012d', n + @offset)"),
        Engine::Mysql => format!("CONCAT('{prefix}', LPAD(n + @offset, 12, '0'))"),
        Engine::Postgres => format!("'{prefix}' || lpad((n + @offset)::text, 12, '0')"),
    }
}

fn quoted(engine: Engine, text: &str) -> String {
    let text = text.replace('\'', "''");
    format!("'{}'", if engine == Engine::Mysql { text.replace('\\', "\\\\") } else { text })
}

fn named(engine: Engine, column: &str) -> String {
    if engine == Engine::Mysql { format!("`{column}`") } else { format!("\"{column}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_their_text_on_every_engine() {
        assert_eq!(quoted(Engine::Postgres, r#"{"a":"it's \n"}"#), r#"'{"a":"it''s \n"}'"#);
        assert_eq!(quoted(Engine::Mysql, r"\n"), r"'\\n'");
        assert_eq!(named(Engine::Mysql, "type"), "`type`");
    }

    #[tokio::test]
    async fn a_task_is_copied_with_ids_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        std::fs::write(&path, "").unwrap();
        let mut connection = Connection::to_file(&path).await.unwrap();
        for sql in [
            "CREATE TABLE tasks (id TEXT PRIMARY KEY, current_run TEXT, created_at BIGINT, inputs TEXT)",
            "CREATE TABLE runs (id TEXT PRIMARY KEY, task_id TEXT, created_at BIGINT, status TEXT, error TEXT)",
            "CREATE TABLE run_events (task_id TEXT, seq BIGINT, run_id TEXT, type TEXT, PRIMARY KEY (task_id, seq))",
            "INSERT INTO tasks VALUES ('t', 'r', 100, 'it''s')",
            "INSERT INTO runs VALUES ('r', 't', 100, 'queued', NULL)",
            "INSERT INTO run_events VALUES ('t', 1, 'r', 'task.queued')",
        ] {
            connection.execute(sql).await.unwrap();
        }
        numbers(&mut connection).await.unwrap();
        for statement in statements(&mut connection, "t", WAITING).await.unwrap() {
            connection.execute(&statement.replace("@offset", "10").replace("@batch", "3")).await.unwrap();
        }
        let joined = "SELECT COUNT(*) FROM tasks t JOIN runs r ON r.id = t.current_run AND r.task_id = t.id \
                      JOIN run_events e ON e.task_id = t.id AND e.run_id = r.id";
        assert_eq!(connection.number(joined).await.unwrap(), 4);
        let last = connection.text("SELECT MIN(id) FROM tasks WHERE created_at = 112").await.unwrap();
        assert_eq!(last, "01900001-0000-7000-8000-000000000012");
    }
}
