//! How servers are connected to.

use std::time::Duration;

use sea_orm::sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlSslMode};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use sea_orm::sqlx::{self, ConnectOptions, Executor, Row};
use sea_orm::{DatabaseConnection, SqlxMySqlConnector, SqlxPostgresConnector};
use url::Url;

use super::address::{Address, database_name};
use super::config::{DatabaseConfig, TlsMode};
use super::error::{DatabaseError, Fault, failed, fault};

/// Room for every size of every multi-row statement.
const STATEMENTS: usize = 256;
/// What all connections to MySQL's like agree on: transactions that see what was committed before each statement, and
/// values that do not fit are errors, not cut. Each is a statement of its own: OceanBase wants it so.
const MYSQL_SETUP: [&str; 3] = [
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];

/// A way to open connections to one server.
#[derive(Clone)]
pub(super) enum Opener {
    MySql { options: MySqlConnectOptions, statement_timeout: Option<Duration>, timeouts: Timeouts },
    Postgres { options: PgConnectOptions, timeouts: Timeouts },
}

/// How long a connection for rare work waits for more of it.
const BRIEFLY: Duration = Duration::from_secs(1);

/// Limits of a pool.
#[derive(Clone, Copy)]
pub(super) struct Timeouts {
    connect: Duration,
    acquire: Duration,
    idle: Duration,
}

impl Opener {
    /// Reads address and settings.
    pub(super) fn new(address: &Address, config: &DatabaseConfig) -> Result<Option<Self>, DatabaseError> {
        let timeouts = Timeouts { connect: config.connect_timeout, acquire: config.acquire_timeout, idle: config.idle_timeout };
        match address {
            Address::MySql(url) => {
                let options = mysql_options(url, config)?;
                Ok(Some(Self::MySql { options, statement_timeout: config.statement_timeout, timeouts }))
            }
            Address::Postgres(url) => Ok(Some(Self::Postgres { options: postgres_options(url, config)?, timeouts })),
            Address::Memory | Address::File(_) => Ok(None),
        }
    }

    /// The same server, and a database that is always there.
    pub(super) fn without_database(mut self) -> Self {
        match &mut self {
            Self::MySql { options, .. } => *options = options.clone().database(""),
            Self::Postgres { options, .. } => *options = options.clone().database("postgres"),
        }
        self
    }

    /// The same server for rare work: its statements may take as long as they need, and its connections go soon after.
    pub(super) fn without_time_limit(mut self) -> Self {
        match &mut self {
            Self::MySql { statement_timeout, timeouts, .. } => {
                *statement_timeout = None;
                timeouts.idle = BRIEFLY;
            }
            Self::Postgres { options, timeouts } => {
                *options = options.clone().options([("statement_timeout", "0")]);
                timeouts.idle = BRIEFLY;
            }
        }
        self
    }

    /// A pool of the current runtime that opens connections when they are needed.
    pub(super) fn pool(&self, connections: u32) -> DatabaseConnection {
        match self {
            Self::MySql { options, statement_timeout, timeouts } => {
                SqlxMySqlConnector::from_sqlx_mysql_pool(mysql_pool(options, *statement_timeout, *timeouts, connections))
            }
            Self::Postgres { options, timeouts } => {
                SqlxPostgresConnector::from_sqlx_postgres_pool(postgres_pool(options, *timeouts, connections))
            }
        }
    }

    /// OceanBase bounds the prepared statements of a session, by default to fewer than are worth keeping here.
    pub(super) async fn bound_statements(mut self) -> Self {
        let Self::MySql { options, .. } = &mut self else { return self };
        let Ok(mut connection) = options.clone().connect().await else { return self };
        let row = connection.fetch_optional("SHOW PARAMETERS LIKE 'open_cursors'").await.ok().flatten();
        let limit = row.and_then(|row| row.try_get::<String, _>("value").ok()).and_then(|value| value.parse::<usize>().ok());
        if let Some(limit) = limit.filter(|limit| *limit > 0) {
            // Some room for what the server opens by itself.
            *options = options.clone().statement_cache_capacity(STATEMENTS.min(limit * 4 / 5));
        }
        self
    }

    /// Tries to connect once, and says what is wrong.
    pub(super) async fn check(&self) -> Result<(), DatabaseError> {
        let (address, tried, limit) = match self {
            Self::MySql { options, timeouts, .. } => {
                let address = format!("{}:{}", options.get_host(), options.get_port());
                let options = options.clone();
                (
                    address,
                    tokio::time::timeout(timeouts.connect, async move { options.connect().await.map(drop) }).await,
                    timeouts,
                )
            }
            Self::Postgres { options, timeouts } => {
                let address = format!("{}:{}", options.get_host(), options.get_port());
                let options = options.clone();
                (
                    address,
                    tokio::time::timeout(timeouts.connect, async move { options.connect().await.map(drop) }).await,
                    timeouts,
                )
            }
        };
        match tried {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(refused(address, error)),
            Err(_) => {
                let reason = format!("no answer within {} s", limit.connect.as_secs_f32());
                Err(DatabaseError::Unreachable { address, reason })
            }
        }
    }
}

fn refused(address: String, error: sqlx::Error) -> DatabaseError {
    let reason = error.to_string();
    let error = failed(error);
    let is_lost = fault(&error) == Fault::Lost;
    match DatabaseError::from(error) {
        DatabaseError::Database(_) if is_lost => DatabaseError::Unreachable { address, reason },
        other => other,
    }
}

fn mysql_options(url: &Url, config: &DatabaseConfig) -> Result<MySqlConnectOptions, DatabaseError> {
    let mut options: MySqlConnectOptions = MySqlConnectOptions::from_url(url).map_err(not_understood)?;
    options = options
        .database(&database_name(url))
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None::<String>)
        .set_names(false)
        .disable_statement_logging();
    if !url.query_pairs().any(|(name, _)| name == "statement-cache-capacity") {
        options = options.statement_cache_capacity(STATEMENTS);
    }
    if let Some(mode) = config.tls.mode {
        options = options.ssl_mode(match mode {
            TlsMode::Disable => MySqlSslMode::Disabled,
            TlsMode::Prefer => MySqlSslMode::Preferred,
            TlsMode::Require => MySqlSslMode::Required,
            TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
            TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
        });
    }
    if let Some(ca) = &config.tls.ca {
        options = options.ssl_ca(ca);
    }
    if let Some(certificate) = &config.tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &config.tls.key {
        options = options.ssl_client_key(key);
    }
    Ok(options)
}

fn postgres_options(url: &Url, config: &DatabaseConfig) -> Result<PgConnectOptions, DatabaseError> {
    let mut options: PgConnectOptions = PgConnectOptions::from_url(url).map_err(not_understood)?;
    options = options.database(&database_name(url)).disable_statement_logging();
    if !url.query_pairs().any(|(name, _)| name == "statement-cache-capacity") {
        options = options.statement_cache_capacity(STATEMENTS);
    }
    if !url.query_pairs().any(|(name, _)| name == "application_name") {
        options = options.application_name("crewd");
    }
    // All that is asked is a few rows by an index. A plan that was made while a table was empty, and is kept with its
    // prepared statement, must not read it whole when it has grown; nor is such a question worth compiling.
    options =
        options.options([("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("jit", "off")]);
    if let Some(limit) = config.statement_timeout {
        options = options.options([("statement_timeout", limit.as_millis().to_string())]);
    }
    if let Some(mode) = config.tls.mode {
        options = options.ssl_mode(match mode {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
    }
    if let Some(ca) = &config.tls.ca {
        options = options.ssl_root_cert(ca);
    }
    if let Some(certificate) = &config.tls.certificate {
        options = options.ssl_client_cert(certificate);
    }
    if let Some(key) = &config.tls.key {
        options = options.ssl_client_key(key);
    }
    Ok(options)
}

fn not_understood(error: sqlx::Error) -> DatabaseError {
    DatabaseError::Url(error.to_string())
}

fn mysql_pool(options: &MySqlConnectOptions, limit: Option<Duration>, timeouts: Timeouts, connections: u32) -> MySqlPool {
    MySqlPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(timeouts.acquire)
        .idle_timeout(timeouts.idle)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                for statement in MYSQL_SETUP {
                    connection.execute(statement).await?;
                }
                if let Some(limit) = limit {
                    limit_statements(connection, limit).await;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options.clone())
}

/// Each of MySQL's like has its own name for it, and another unit. The right one is taken, the others are refused.
async fn limit_statements(connection: &mut sqlx::MySqlConnection, limit: Duration) {
    let attempts = [
        format!("SET SESSION ob_query_timeout = {}", limit.as_micros()),
        format!("SET SESSION max_statement_time = {}", limit.as_secs_f64()),
        format!("SET SESSION max_execution_time = {}", limit.as_millis()),
    ];
    for statement in attempts {
        if connection.execute(sqlx::AssertSqlSafe(statement)).await.is_ok() {
            return;
        }
    }
    tracing::debug!("this database has no time limit for statements");
}

fn postgres_pool(options: &PgConnectOptions, timeouts: Timeouts, connections: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(timeouts.acquire)
        .idle_timeout(timeouts.idle)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options.clone())
}
