//! `crewd doctor`: is this installation fit to run? Reads, and changes nothing but for a probe file.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crewd_application::ports::ToolSet;
use crewd_infrastructure::persistence::{Database, DatabaseConfig, migration_status};
use crewd_orchestration::definition::FileCrewCatalog;
use crewd_settings::Settings;
use secrecy::ExposeSecret;
use tokio::net::{TcpListener, TcpStream};

use crate::bootstrap::{crew_catalog, tools};

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
    let url = settings.database.effective_url(&settings.server.data_dir);
    let config = DatabaseConfig { pool_size: 1, ..DatabaseConfig::new(url.expose_secret()) };
    let fix = || "check APP_DATABASE_URL and the rights of its folder".to_owned();
    let database = match Database::connect(config).await {
        Ok(database) => database,
        Err(error) => return Finding::Bad(format!("cannot be opened: {error}"), fix()),
    };
    let finding = match migration_status(&database).await {
        Err(error) => Finding::Bad(format!("does not answer: {error}"), fix()),
        Ok(migrations) => match migrations.iter().filter(|(_, applied)| !applied).count() {
            0 => Finding::Good(format!("answers, {} migrations applied", migrations.len())),
            pending if settings.server.environment.is_deployed() => {
                Finding::Bad(format!("{pending} migrations are missing"), "run `crewd migrate up`".to_owned())
            }
            pending => Finding::Note(format!("{pending} migrations are missing; the next start applies them")),
        },
    };
    if let Err(error) = database.close().await {
        return Finding::Bad(format!("cannot be closed: {error}"), fix());
    }
    finding
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
