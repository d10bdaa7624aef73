//! What a database says of itself, and what it can do.

use std::fmt;

use sea_orm::{DbBackend, DbErr, QueryResult, Statement};

use super::error::DatabaseError;
use super::session::Session;

/// The engines that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file, or memory.
    Sqlite,
    /// MySQL 8.
    MySql,
    /// MariaDB 10.6 and later.
    MariaDb,
    /// OceanBase in MySQL mode.
    OceanBase,
    /// PostgreSQL.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
            Self::OceanBase => "OceanBase",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// What makes crewd quicker where it is there. Nothing depends on it for being right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Rows that another transaction holds can be passed over: workers do not wait for each other at the queue.
    pub skip_locked: bool,
    /// A change can answer what it changed: the heartbeat needs one statement instead of two.
    pub returning: bool,
    /// Processes can be told of something by the database: they need not poll.
    pub notify: bool,
    /// A change of the schema that fails is taken back whole.
    pub ddl_transactions: bool,
    /// A commit can leave the flush of the disk to the next one: deltas are cheaper.
    pub relaxed_commit: bool,
    /// An insert that meets its row changes it for little more than an update would. Where it costs several times as much,
    /// rows that are there are updated or taken out first.
    pub cheap_upsert: bool,
    /// A question inside another one can begin its walk of an index at a value of the row around it. Where it would begin at the
    /// start each time, what is distinct is found by a grouping that jumps in the index.
    pub inner_ranges: bool,
}

/// What a database says of itself.
#[derive(Clone, Debug)]
pub struct DatabaseInfo {
    /// Which one.
    pub engine: Engine,
    /// Its version, in its own words.
    pub version: String,
    /// What it can do.
    pub capabilities: Capabilities,
    /// Whether nothing can be written.
    pub read_only: bool,
    /// Connections that the server takes at most, if it has a limit.
    pub max_connections: Option<u64>,
    /// The isolation of crewd's transactions.
    pub isolation: String,
    /// Whether this connection is encrypted.
    pub tls: bool,
}

/// Asks a server, or the library, over one connection.
pub(super) async fn ask(session: &Session, backend: DbBackend, may_notify: bool) -> Result<DatabaseInfo, DatabaseError> {
    match backend {
        DbBackend::MySql => mysql(session).await,
        DbBackend::Postgres => postgres(session, may_notify).await,
        _ => sqlite(session).await,
    }
}

async fn texts<const N: usize>(session: &Session, backend: DbBackend, sql: &str) -> Result<[String; N], DbErr> {
    let row = session.query_one_raw(Statement::from_string(backend, sql)).await?;
    let text = |row: &QueryResult, place: usize| row.try_get_by::<Option<String>, _>(place).map(Option::unwrap_or_default);
    let mut found = std::array::from_fn(|_| String::new());
    if let Some(row) = row {
        for (place, cell) in found.iter_mut().enumerate() {
            *cell = text(&row, place)?;
        }
    }
    Ok(found)
}

async fn sqlite(session: &Session) -> Result<DatabaseInfo, DatabaseError> {
    let [version] = texts(session, DbBackend::Sqlite, "SELECT sqlite_version()").await?;
    let capabilities = Capabilities {
        skip_locked: false,
        returning: true,
        notify: false,
        ddl_transactions: true,
        relaxed_commit: true,
        cheap_upsert: true,
        inner_ranges: true,
    };
    Ok(DatabaseInfo {
        engine: Engine::Sqlite,
        version,
        capabilities,
        read_only: false,
        max_connections: None,
        isolation: "serializable".to_owned(),
        tls: false,
    })
}

async fn mysql(session: &Session) -> Result<DatabaseInfo, DatabaseError> {
    let backend = DbBackend::MySql;
    let sql = "SELECT CAST(VERSION() AS CHAR), CAST(@@version_comment AS CHAR), CAST(@@read_only AS CHAR), \
               CAST(@@max_connections AS CHAR), CAST(@@tx_isolation AS CHAR)";
    // MySQL 8 has another name for the isolation.
    let newer = sql.replace("@@tx_isolation", "@@transaction_isolation");
    let found: [String; 5] = match texts(session, backend, sql).await {
        Ok(found) => found,
        Err(_) => texts(session, backend, &newer).await?,
    };
    let [version, comment, read_only, max_connections, isolation] = found;
    let engine = mysql_engine(&version, &comment);
    let version = if engine == Engine::OceanBase && !comment.is_empty() { format!("{version} ({comment})") } else { version };
    check_age(engine, &version)?;
    let can = async |sql: &str| session.query_one_raw(Statement::from_string(backend, sql)).await.is_ok();
    let capabilities = Capabilities {
        skip_locked: can("SELECT t.x FROM (SELECT 1 AS x) t FOR UPDATE SKIP LOCKED").await,
        cheap_upsert: engine != Engine::OceanBase,
        inner_ranges: engine == Engine::OceanBase,
        ..Capabilities::default()
    };
    let cipher = session.query_one_raw(Statement::from_string(backend, "SHOW STATUS LIKE 'Ssl_cipher'")).await.ok().flatten();
    let tls = cipher.is_some_and(|row| row.try_get_by::<String, _>(1).is_ok_and(|cipher| !cipher.is_empty()));
    Ok(DatabaseInfo {
        engine,
        version,
        capabilities,
        read_only: read_only == "1",
        max_connections: max_connections.parse().ok(),
        isolation: isolation.to_lowercase().replace('-', " "),
        tls,
    })
}

fn mysql_engine(version: &str, comment: &str) -> Engine {
    let says = |name: &str| version.contains(name) || comment.contains(name);
    match () {
        () if says("OceanBase") => Engine::OceanBase,
        () if says("MariaDB") => Engine::MariaDb,
        () => Engine::MySql,
    }
}

async fn postgres(session: &Session, may_notify: bool) -> Result<DatabaseInfo, DatabaseError> {
    let sql = "SELECT current_setting('server_version'), current_setting('transaction_read_only'), \
               current_setting('max_connections'), current_setting('transaction_isolation'), \
               (SELECT s.ssl::text FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid())";
    let [version, read_only, max_connections, isolation, tls] = texts(session, DbBackend::Postgres, sql).await?;
    check_age(Engine::Postgres, &version)?;
    let notify = may_notify && can_listen(session).await;
    Ok(DatabaseInfo {
        engine: Engine::Postgres,
        version,
        capabilities: Capabilities {
            skip_locked: true,
            returning: true,
            notify,
            ddl_transactions: true,
            relaxed_commit: true,
            cheap_upsert: true,
            inner_ranges: true,
        },
        read_only: read_only == "on",
        max_connections: max_connections.parse().ok(),
        isolation,
        tls: tls == "true",
    })
}

/// Some poolers and relatives of PostgreSQL refuse it. Whether anything is heard is seen by who listens.
async fn can_listen(session: &Session) -> bool {
    match session.execute_text("LISTEN crewd_trial; UNLISTEN crewd_trial").await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "the database refuses LISTEN: work, events and orders of other processes are found by asking");
            false
        }
    }
}

/// Recursive queries are the youngest thing that is needed everywhere.
fn check_age(engine: Engine, version: &str) -> Result<(), DatabaseError> {
    // OceanBase says 5.7.25 whatever it is; its own number stands in the words behind.
    let (said, needed, oldest) = match engine {
        Engine::MySql => (version, "8.0.1", [8, 0, 1]),
        Engine::MariaDb => (version.trim_start_matches("5.5.5-"), "10.5", [10, 5, 0]),
        Engine::Postgres => (version, "12", [12, 0, 0]),
        Engine::OceanBase => match version.rsplit_once("OceanBase ").or_else(|| version.rsplit_once("OceanBase-v")) {
            Some((_, own)) => (own, "4.0", [4, 0, 0]),
            None => return Ok(()),
        },
        Engine::Sqlite => return Ok(()),
    };
    let Some(numbers) = numbers(said) else { return Ok(()) };
    if numbers < oldest {
        return Err(DatabaseError::TooOld { engine, version: version.to_owned(), needed });
    }
    Ok(())
}

/// The first three numbers of a version; `None` where it begins with none.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut found = [0; 3];
    let parts = version.split(|mark: char| !mark.is_ascii_digit());
    for (place, (slot, part)) in found.iter_mut().zip(parts).enumerate() {
        match part.parse() {
            Ok(number) => *slot = number,
            Err(_) if place == 0 => return None,
            Err(_) => break,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_told_apart() {
        assert_eq!(mysql_engine("10.11.19-MariaDB-0+deb12u1", "Debian 12"), Engine::MariaDb);
        assert_eq!(mysql_engine("5.7.25-OceanBase seekdb-v1.4.0.0", "OceanBase 4.3.5.3 seekdb"), Engine::OceanBase);
        assert_eq!(mysql_engine("5.7.25", "OceanBase_CE 4.2.1.0 (r1)"), Engine::OceanBase);
        assert_eq!(mysql_engine("8.4.2", "MySQL Community Server - GPL"), Engine::MySql);
    }

    #[test]
    fn what_is_too_old_is_refused_by_name() {
        for (engine, version) in [
            (Engine::MySql, "5.7.44-log"),
            (Engine::MariaDb, "5.5.5-10.3.39-MariaDB"),
            (Engine::MariaDb, "10.4.2-MariaDB"),
            (Engine::Postgres, "11.22 (Debian)"),
            (Engine::OceanBase, "5.7.25-OceanBase-v3.2.3 (OceanBase 3.2.3)"),
        ] {
            let error = check_age(engine, version).unwrap_err().to_string();
            assert!(error.contains("too old") && error.contains(version), "{error}");
        }
        for (engine, version) in [
            (Engine::MySql, "8.0.36"),
            (Engine::MySql, "9.1"),
            (Engine::MariaDb, "5.5.5-10.11.19-MariaDB"),
            (Engine::MariaDb, "11.4.2-MariaDB"),
            (Engine::Postgres, "16.2"),
            (Engine::Postgres, "17beta1"),
            (Engine::OceanBase, "5.7.25-OceanBase seekdb-v1.4.0.0 (OceanBase 4.3.5.3 seekdb (r1.4.0.0))"),
            (Engine::OceanBase, "5.7.25-OceanBase"),
            (Engine::Sqlite, "3.51"),
        ] {
            check_age(engine, version).unwrap();
        }
    }
}
