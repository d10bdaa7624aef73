//! How the database of the settings is opened.

use std::time::{Duration, Instant};

use anyhow::Context;
use crewd_infrastructure::persistence::{Database, DatabaseConfig, DatabaseError, Tls, TlsMode};
use crewd_settings::{DatabaseTls, Settings};
use secrecy::ExposeSecret;

/// Pauses between attempts at a database that cannot be reached.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Which database, and how to use it.
pub(crate) fn database_config(settings: &Settings) -> DatabaseConfig {
    let database = &settings.database;
    let url = database.effective_url(&settings.server.data_dir);
    DatabaseConfig {
        pool_size: database.pool_size,
        max_overflow: database.max_overflow,
        connect_timeout: database.connect_timeout,
        acquire_timeout: database.acquire_timeout,
        idle_timeout: database.idle_timeout,
        statement_timeout: database.statement_timeout,
        tls: Tls {
            mode: database.tls.map(|mode| match mode {
                DatabaseTls::Disable => TlsMode::Disable,
                DatabaseTls::Prefer => TlsMode::Prefer,
                DatabaseTls::Require => TlsMode::Require,
                DatabaseTls::VerifyCa => TlsMode::VerifyCa,
                DatabaseTls::VerifyFull => TlsMode::VerifyFull,
            }),
            ca: database.tls_ca.clone(),
            certificate: database.tls_cert.clone(),
            key: database.tls_key.clone(),
        },
        retries: database.retries,
        notify: database.notify,
        ..DatabaseConfig::new(url.expose_secret())
    }
}

/// Opens it. One that cannot be reached yet is waited for as long as the settings say.
///
/// # Errors
/// Those of the database.
pub(crate) async fn open_database(settings: &Settings) -> anyhow::Result<Database> {
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match Database::connect(database_config(settings)).await {
            Ok(database) => return Ok(database),
            Err(error) if may_pass(&error) && started.elapsed() + pause < settings.database.wait => {
                tracing::warn!(%error, "waiting for the database");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            }
            Err(error) => return Err(error).context("the database cannot be opened (APP_DATABASE_URL)"),
        }
    }
}

const fn may_pass(error: &DatabaseError) -> bool {
    matches!(error, DatabaseError::Unreachable { .. } | DatabaseError::TooManyConnections(_))
}

/// What mends a failure.
pub(crate) const fn remedy(error: &DatabaseError) -> &'static str {
    match error {
        DatabaseError::Url(_) => "see docs/databases.md for the forms of addresses",
        DatabaseError::Unreachable { .. } => "start it or mend the address; APP_DATABASE_WAIT=60 waits for it at the start",
        DatabaseError::AccessDenied(_) => "mend user, password or rights in the address",
        DatabaseError::NoSuchDatabase(_) => "run `crewd migrate up --create`",
        DatabaseError::TooManyConnections(_) => {
            "raise the server's limit, or lower APP_DATABASE_POOL_SIZE and APP_DATABASE_MAX_OVERFLOW"
        }
        DatabaseError::ReadOnly(_) => "crewd must write: use the primary server",
        DatabaseError::TooOld { .. } => "use a newer server",
        DatabaseError::SchemaLocked(_) => "see what the other process is doing, then try again",
        DatabaseError::OldSchema => "run `crewd migrate up` first",
        DatabaseError::HalfMoved => "run the same `crewd data move` again, or name another database",
        DatabaseError::NewerSchema(_) => "start the newer crewd that made it",
        DatabaseError::Folder(_) => "mend the rights of the folder",
        DatabaseError::Database(_) => "see what it says",
    }
}
