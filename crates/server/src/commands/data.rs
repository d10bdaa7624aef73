//! `crewd data move`.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use crewd_infrastructure::persistence::{DatabaseConfig, MovedTable, move_database};
use crewd_settings::Settings;
use serde_json::json;

use crate::args::{DataAction, MoveArgs};
use crate::bootstrap::database_config;

/// Moves the data of an installation.
pub(crate) async fn data(action: &DataAction, settings: &Settings) -> anyhow::Result<ExitCode> {
    let DataAction::Move(arguments) = action;
    let config = |url: &str| DatabaseConfig { url: url.to_owned(), ..database_config(settings) };
    let mut progress = Progress::default();
    let moved = move_database(config(&arguments.from), config(&arguments.to), |table, rows, all| progress.tell(table, rows, all));
    let moved = moved.await;
    progress.end();
    match moved {
        Ok(moved) => {
            report(&moved, arguments)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            let code = error.code();
            let error = anyhow::Error::new(error);
            if arguments.json {
                let refusal = json!({ "error": { "code": code, "message": format!("{error:#}") } });
                writeln!(std::io::stdout().lock(), "{refusal:#}")?;
            }
            Err(error.context(format!("the data was not moved ({code})")))
        }
    }
}

fn report(moved: &[MovedTable], arguments: &MoveArgs) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let tables = moved.iter().map(|table| json!({ "name": table.name, "rows": table.rows, "sha256": table.checksum }));
        writeln!(out, "{:#}", json!({ "tables": tables.collect::<Vec<_>>() }))?;
        return Ok(());
    }
    writeln!(out, "{:<24} {:>10}  sha256, the same on both sides", "table", "rows")?;
    for table in moved {
        writeln!(out, "{:<24} {:>10}  {}", table.name, table.rows, table.checksum)?;
    }
    writeln!(out, "\nAll rows are there. The source is as it was: keep it until you are content.\n")?;
    writeln!(out, "Next: set APP_DATABASE_URL to the new address for every process and start them.")?;
    writeln!(out, "Files that runs have written stay in their folder (APP_FILE_ROOT): processes elsewhere need it, too.")?;
    writeln!(
        out,
        "Secrets are sealed with APP_SECRET_KEY, or with secret.key of the data folder: the new processes need the same."
    )?;
    Ok(())
}

/// What has been done so far, on standard error: one line that changes on a terminal, one line a table elsewhere.
#[derive(Default)]
struct Progress {
    has_line: bool,
}

impl Progress {
    fn tell(&mut self, table: &str, rows: u64, all: u64) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K{table}: {rows} of {all} rows");
            self.has_line = true;
        } else if rows >= all {
            eprintln!("{table}: {rows} rows");
        }
    }

    fn end(&self) {
        if self.has_line {
            eprint!("\r\x1b[K");
        }
    }
}
