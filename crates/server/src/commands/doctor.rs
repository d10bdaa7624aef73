//! `crewd doctor`: is this installation fit to run? Reads, and changes nothing but for a probe file.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crewd_application::ports::ToolSet;
use crewd_infrastructure::persistence::{Database, DatabaseInfo, Engine, migration_status};
use crewd_orchestration::definition::FileCrewCatalog;
use crewd_settings::Settings;
use tokio::net::{TcpListener, TcpStream};

use crate::bootstrap::{crew_catalog, database_config, remedy, tools};

/// What a server says that bounds its connections by memory alone.
const NO_LIMIT: u64 = i32::MAX as u64;

/// What a check found.
enum Finding {
    Good(String),
    /// Works, but should be known.
    Note(String),
    /// Does not work; the second text mends it.
    Bad(String, String),
}

/// Prints one line a check; fails if anything is bad.
pub(crate) async fn doctor(settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut findings = vec![
        ("settings", environment(settings)),
        ("API keys", keys(settings)),
        ("data folder", folder(&settings.server.data_dir, "APP_DATA_DIR")),
        ("file root", folder(&settings.files.file_root, "APP_FILE_ROOT")),
        ("database", database(settings).await),
        ("port", port(settings).await),
        ("model", model(settings)),
        ("traces", traces(settings).await),
    ];
    findings.extend(abilities(settings).await);
    findings.extend(definitions(settings));
    if let Some(folder) = &settings.log.dir {
        findings.push(("log folder", self::folder(folder, "APP_LOG_DIR")));
    }
    if let Some(root) = &settings.files.tools_directory_read_root {
        findings.push(("read root", read_root(root)));
    }
    let mut bad = 0;
    let mut out = std::io::stdout().lock();
    for (name, finding) in findings {
        match finding {
            Finding::Good(text) => writeln!(out, "✓ {name}: {text}")?,
            Finding::Note(text) => writeln!(out, "! {name}: {text}")?,
            Finding::Bad(text, fix) => {
                bad += 1;
                writeln!(out, "✗ {name}: {text}\n    {fix}")?;
            }
        }
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn environment(settings: &Settings) -> Finding {
    let count = settings.origins().iter().filter(|row| row.origin != "built in").count();
    Finding::Good(format!("{}, {count} set by you (crewd config show --origin)", settings.server.environment.as_str()))
}

fn keys(settings: &Settings) -> Finding {
    match (settings.security.api_keys.len(), settings.server.is_loopback()) {
        (0, true) => Finding::Note("none: callers on this machine need no key".to_owned()),
        (0, false) => Finding::Bad("none, and the address is not a loopback one".to_owned(), "set APP_API_KEYS".to_owned()),
        (count, _) => Finding::Good(format!("{count}")),
    }
}

fn folder(path: &Path, variable: &str) -> Finding {
    let probe = path.join(".crewd-probe");
    let written =
        std::fs::create_dir_all(path).and_then(|()| std::fs::write(&probe, b"probe")).and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => Finding::Good(format!("{} can be written", path.display())),
        Err(error) => {
            Finding::Bad(format!("{} cannot be written: {error}", path.display()), format!("mend its rights or set {variable}"))
        }
    }
}

fn read_root(path: &Path) -> Finding {
    match std::fs::read_dir(path) {
        Ok(_) => Finding::Good(format!("tools may read {}", path.display())),
        Err(error) => {
            Finding::Bad(format!("{} cannot be read: {error}", path.display()), "set APP_TOOLS_DIRECTORY_READ_ROOT".to_owned())
        }
    }
}

async fn database(settings: &Settings) -> Finding {
    let database = match Database::connect(database_config(settings)).await {
        Ok(database) => database,
        Err(error) => return Finding::Bad(format!("cannot be opened: {error}"), remedy(&error).to_owned()),
    };
    let info = database.describe();
    let about = format!("{} {}", info.engine, info.version);
    if info.read_only {
        return Finding::Bad(format!("{about} is read-only"), "crewd must write: use the primary server".to_owned());
    }
    let finding = match migration_status(&database).await {
        Err(error) => Finding::Bad(error.to_string(), remedy(&error).to_owned()),
        Ok(migrations) => match migrations.iter().filter(|(_, applied)| !applied).count() {
            0 => Finding::Good(format!("{about} answers, {} migrations applied", migrations.len())),
            pending if settings.server.environment.is_deployed() => {
                Finding::Bad(format!("{pending} migrations are missing"), "run `crewd migrate up`".to_owned())
            }
            pending => Finding::Note(format!("{pending} migrations are missing; the next start applies them")),
        },
    };
    if let Err(error) = database.close().await {
        return Finding::Bad(format!("cannot be closed: {error}"), remedy(&error).to_owned());
    }
    finding
}

/// What a server can do, and what that means here. Nothing to say of SQLite, which is always the same.
async fn abilities(settings: &Settings) -> Vec<(&'static str, Finding)> {
    let Ok(database) = Database::connect(database_config(settings)).await else { return Vec::new() };
    let info = database.describe().clone();
    let clock = database.clock_difference().await;
    let closed = database.close().await;
    if info.engine == Engine::Sqlite || closed.is_err() {
        return Vec::new();
    }
    let mut findings: Vec<(&'static str, Finding)> = flags(&info).into_iter().map(|finding| ("database", finding)).collect();
    let wanted = u64::from(settings.database.pool_size)
        + u64::from(settings.database.max_overflow)
        + 5
        + u64::from(info.capabilities.notify);
    findings.push(match info.max_connections {
        Some(most) if most < wanted => (
            "database",
            Finding::Note(format!("takes {most} connections, and one process may want {wanted}: lower APP_DATABASE_POOL_SIZE")),
        ),
        Some(most) if most >= NO_LIMIT => ("database", Finding::Good(format!("one process wants {wanted} connections at most"))),
        Some(most) => ("database", Finding::Good(format!("takes {most} connections; one process wants {wanted} at most"))),
        None => ("database", Finding::Good(format!("one process wants {wanted} connections at most"))),
    });
    if let Ok(clock) = clock {
        let seconds = clock.as_seconds_f64();
        let text = format!("its clock is {seconds:.1} s from this machine's; leases and schedules go by the database's");
        findings.push(("database", if seconds.abs() > 2.0 { Finding::Note(text) } else { Finding::Good(text) }));
    }
    findings
}

fn flags(info: &DatabaseInfo) -> Vec<Finding> {
    let can = info.capabilities;
    let tell = |has: bool, with: &str, without: &str| Finding::Good(if has { with } else { without }.to_owned());
    let mut findings = vec![
        Finding::Good(format!("isolation is {}, {}", info.isolation, if info.tls { "with TLS" } else { "without TLS" })),
        tell(
            can.skip_locked,
            "SKIP LOCKED: workers pass over runs that others are claiming",
            "no SKIP LOCKED: a claim that meets another one is tried again",
        ),
        tell(can.returning, "RETURNING: a heartbeat is one statement", "no RETURNING: a heartbeat is two statements"),
        tell(
            can.ddl_transactions,
            "a change of the schema that fails is taken back",
            "a change of the schema that fails goes on where it stopped",
        ),
        tell(
            can.relaxed_commit,
            "deltas are committed without waiting for the disk",
            "every commit waits for the disk as the server is set up",
        ),
        tell(
            can.cheap_upsert,
            "inserts that meet their row change it",
            "rows that are there are updated or taken out first: an insert that meets its row is dear",
        ),
        tell(
            can.inner_ranges,
            "turns of tenants are found by jumps in an index",
            "turns of tenants are found by a grouping that jumps in an index",
        ),
    ];
    if can.notify {
        findings.push(Finding::Good("NOTIFY: idle workers are told of work".to_owned()));
    }
    findings
}

/// Crews and tools: crews name tools, so that neither can be judged alone.
fn definitions(settings: &Settings) -> Vec<(&'static str, Finding)> {
    let files = crewd_infrastructure::files::JailedRunFiles::new(&settings.files.file_root);
    let tools = match tools(settings, &files) {
        Ok(tools) => tools,
        Err(error) => {
            let fix = "mend the files, the settings they name, or APP_TOOLS_DIRECTORY_READ_ROOT; the server does not start so";
            return vec![("tools", Finding::Bad(format!("{error:#}"), fix.to_owned()))];
        }
    };
    let names = tools.descriptors().len();
    vec![("tools", Finding::Good(format!("{names} can be called"))), ("crews", crews(settings, &*tools))]
}

fn crews(settings: &Settings, tools: &dyn ToolSet) -> Finding {
    let (catalog, _watcher) = crew_catalog(&settings.server.config_dir, tools);
    let count = crewd_application::ports::CrewCatalog::list(&*catalog).len();
    let report = FileCrewCatalog::report(&catalog);
    if report.has_errors(false) {
        return Finding::Bad(format!("{count} can be run, others are broken"), "run `crewd validate`".to_owned());
    }
    Finding::Good(format!("{count} can be run"))
}

async fn port(settings: &Settings) -> Finding {
    let (host, port) = (settings.server.host.as_str(), settings.server.port);
    match TcpListener::bind((host, port)).await {
        Ok(_) => Finding::Good(format!("{host}:{port} is free")),
        Err(error) => {
            Finding::Note(format!("{host}:{port} is taken ({error}); a running crewd, or choose another with APP_PORT"))
        }
    }
}

fn model(settings: &Settings) -> Finding {
    let llm = settings.llm.resolved();
    if llm.offline {
        return Finding::Note("offline model: answers are simulated; set APP_LLM_API_KEY for a real one".to_owned());
    }
    if llm.api_key.is_none() && llm.provider.needs_key() {
        return Finding::Note(format!("{} at {} without a key", llm.model, llm.base_url));
    }
    Finding::Good(format!("{} at {} (not called)", llm.model, llm.base_url))
}

async fn traces(settings: &Settings) -> Finding {
    let Some(endpoint) = &settings.otlp.endpoint else {
        return Finding::Good("not exported (APP_OTLP_ENDPOINT)".to_owned());
    };
    let address = endpoint.split("://").last().unwrap_or(endpoint).split('/').next().unwrap_or_default();
    match tokio::time::timeout(Duration::from_secs(2), TcpStream::connect(address)).await {
        Ok(Ok(_)) => Finding::Good(format!("{endpoint} can be reached")),
        _ => Finding::Bad(format!("{endpoint} cannot be reached"), "check APP_OTLP_ENDPOINT".to_owned()),
    }
}
