//! Which database, how many connections, and how patient they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::reader::{Choice, Reader};
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("database.url", "APP_DATABASE_URL").address(),
    Variable::new("database.pool_size", "APP_DATABASE_POOL_SIZE"),
    Variable::new("database.max_overflow", "APP_DATABASE_MAX_OVERFLOW"),
    Variable::new("database.connect_timeout", "APP_DATABASE_CONNECT_TIMEOUT"),
    Variable::new("database.acquire_timeout", "APP_DATABASE_ACQUIRE_TIMEOUT"),
    Variable::new("database.idle_timeout", "APP_DATABASE_IDLE_TIMEOUT"),
    Variable::new("database.statement_timeout", "APP_DATABASE_STATEMENT_TIMEOUT"),
    Variable::new("database.retries", "APP_DATABASE_RETRIES"),
    Variable::new("database.wait", "APP_DATABASE_WAIT"),
    Variable::new("database.notify", "APP_DATABASE_NOTIFY"),
    Variable::new("database.tls", "APP_DATABASE_TLS"),
    Variable::new("database.tls_ca", "APP_DATABASE_TLS_CA"),
    Variable::new("database.tls_cert", "APP_DATABASE_TLS_CERT"),
    Variable::new("database.tls_key", "APP_DATABASE_TLS_KEY"),
];

const AN_HOUR_IN_SECONDS: f64 = 3_600.0;

/// File name of the embedded database inside the data folder.
const EMBEDDED_FILE: &str = "crewd.db";

/// How much encryption is demanded on the way to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseTls {
    /// Never.
    Disable,
    /// Where the server offers it.
    Prefer,
    /// Always; anybody's certificate will do.
    Require,
    /// Always, with a certificate of a trusted authority.
    VerifyCa,
    /// Always, with a certificate of a trusted authority for this very host.
    VerifyFull,
}

impl Choice for DatabaseTls {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("prefer", Self::Prefer),
        ("disable", Self::Disable),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];
}

/// Whether processes tell each other of work over the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notify {
    /// Where it can do that.
    Auto,
    /// Never.
    Off,
}

impl Choice for Notify {
    const WORDS: &'static [(&'static str, Self)] = &[("auto", Self::Auto), ("off", Self::Off)];
}

/// The `database` section.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Address of the database, if one is set; it may hold a password. Driver names as Python writes them
    /// (`mysql+aiomysql://`) are already taken out.
    pub url: Option<SecretString>,
    /// Connections that are kept open.
    pub pool_size: u32,
    /// Connections that may be opened beyond that under load.
    pub max_overflow: u32,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
    /// After so long an unused connection is closed.
    pub idle_timeout: Duration,
    /// After so long the database gives a statement up; `None` leaves it to the database.
    pub statement_timeout: Option<Duration>,
    /// How often work is tried again after a lost connection, a deadlock, or a serialization failure.
    pub retries: u32,
    /// For how long a start waits for a database that cannot be reached; zero does not wait.
    pub wait: Duration,
    /// Whether processes tell each other of work over the database, where it can do that and there is no Redis.
    pub notify: bool,
    /// Encryption; `None` leaves it to the address.
    pub tls: Option<DatabaseTls>,
    /// PEM file with the authorities that are trusted.
    pub tls_ca: Option<PathBuf>,
    /// PEM file with the certificate of this client.
    pub tls_cert: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    pub tls_key: Option<PathBuf>,
}

impl DatabaseSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let url = reader.text("database.url").map(|url| without_driver(&url));
        if let Some(url) = &url
            && !is_known(url)
        {
            reader.reject_value("database.url", "an address that starts with sqlite://, mysql:// or postgres://");
        }
        let or_zero = |reader: &mut Reader, key: &str| Duration::from_secs_f64(reader.fraction(key, 0.0..=AN_HOUR_IN_SECONDS));
        let statement_timeout = or_zero(reader, "database.statement_timeout");
        let file = |key: &str, reader: &Reader| reader.text(key).map(PathBuf::from);
        let (tls_cert, tls_key) = (file("database.tls_cert", reader), file("database.tls_key", reader));
        if tls_cert.is_some() != tls_key.is_some() {
            let key = if tls_cert.is_some() { "database.tls_key" } else { "database.tls_cert" };
            reader.reject(key, "is missing: a certificate and its key belong together", "set both or none");
        }
        Self {
            url: url.map(SecretString::from),
            pool_size: reader.number("database.pool_size", 1..=1_000),
            max_overflow: reader.number("database.max_overflow", 0..=1_000),
            connect_timeout: reader.seconds("database.connect_timeout", AN_HOUR_IN_SECONDS),
            acquire_timeout: reader.seconds("database.acquire_timeout", AN_HOUR_IN_SECONDS),
            idle_timeout: reader.seconds("database.idle_timeout", AN_HOUR_IN_SECONDS),
            statement_timeout: (!statement_timeout.is_zero()).then_some(statement_timeout),
            retries: reader.number("database.retries", 0..=100),
            wait: or_zero(reader, "database.wait"),
            notify: reader.choice("database.notify") != Some(Notify::Off),
            tls: if reader.find("database.tls").is_some() { reader.choice("database.tls") } else { None },
            tls_ca: file("database.tls_ca", reader),
            tls_cert,
            tls_key,
        }
    }

    /// The address in effect: the one that is set, else a SQLite file in the data folder.
    pub fn effective_url(&self, data_dir: &Path) -> SecretString {
        match &self.url {
            Some(url) => url.clone(),
            None => SecretString::from(format!("sqlite://{}?mode=rwc", data_dir.join(EMBEDDED_FILE).display())),
        }
    }

    pub(crate) fn shown_url(&self, data_dir: &Path) -> String {
        crate::masking::address(self.effective_url(data_dir).expose_secret())
    }
}

/// `postgresql+asyncpg://…` as `postgresql://…`. Python writes one slash more before the path of a SQLite file.
fn without_driver(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let Some((database, _driver)) = scheme.split_once('+') else {
        return url.to_owned();
    };
    let rest = if database == "sqlite" { rest.strip_prefix('/').unwrap_or(rest) } else { rest };
    format!("{database}://{rest}")
}

fn is_known(url: &str) -> bool {
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let has_address = url.contains("://") || scheme == "sqlite";
    has_address && ["sqlite", "mysql", "mariadb", "oceanbase", "postgres", "postgresql"].contains(&scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_driver_names_are_taken_out() {
        for (python, plain) in [
            ("mysql+aiomysql://u:p@h:2881/db", "mysql://u:p@h:2881/db"),
            ("postgresql+asyncpg://u@h/db", "postgresql://u@h/db"),
            ("sqlite+aiosqlite:///./data/app.db", "sqlite://./data/app.db"),
            ("sqlite+aiosqlite:////var/app.db", "sqlite:///var/app.db"),
            ("sqlite:///var/app.db", "sqlite:///var/app.db"),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            assert_eq!(without_driver(python), plain);
            assert!(is_known(plain), "{plain}");
        }
        for wrong in ["", "data/app.db", "mysql", "mssql://h/db", "postgres:db"] {
            assert!(!is_known(wrong), "{wrong}");
        }
    }
}
