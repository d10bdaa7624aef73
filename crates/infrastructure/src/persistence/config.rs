//! Which database, and how to use it.

use std::path::PathBuf;
use std::time::Duration;

/// Which database, and how to use it.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `sqlite://<path>`, `sqlite::memory:`, `mysql://…`, `postgres://…`, and the forms of Python drivers such as
    /// `mysql+aiomysql://…`. The folder and the file of SQLite are made if missing.
    pub url: String,
    /// Connections for reading that are kept open once they were needed. Writing, heartbeat and changes of the schema
    /// have connections of their own beside them.
    pub pool_size: u32,
    /// Connections that may be opened beyond that under load. SQLite has none.
    pub max_overflow: u32,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
    /// After so long an unused connection is closed, but for those that are kept.
    pub idle_timeout: Duration,
    /// After so long the database gives a statement up; `None` leaves it to the database. SQLite has no such limit.
    pub statement_timeout: Option<Duration>,
    /// Encryption on the way to the database.
    pub tls: Tls,
    /// How often work is tried again after a lost connection, a deadlock, or a serialization failure.
    pub retries: u32,
    /// Whether processes may tell each other of work over the database, where it can do that: PostgreSQL's `NOTIFY`.
    pub notify: bool,
}

impl DatabaseConfig {
    /// The database with the defaults for everything else.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 20,
            max_overflow: 10,
            connect_timeout: Duration::from_secs(10),
            acquire_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            statement_timeout: Some(Duration::from_secs(30)),
            tls: Tls::default(),
            retries: 5,
            notify: true,
        }
    }
}

/// Encryption on the way to a server. What the URL says about it is overruled by what is set here.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// How much is demanded; `None` leaves it to the URL, else the driver prefers TLS and takes plain text.
    pub mode: Option<TlsMode>,
    /// PEM file with the authorities that are trusted.
    pub ca: Option<PathBuf>,
    /// PEM file with the certificate of this client.
    pub certificate: Option<PathBuf>,
    /// PEM file with the key of that certificate.
    pub key: Option<PathBuf>,
}

/// How much encryption is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
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
