//! The database that tests run on.

use crate::service::Service;

/// A database that crewd runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file; nothing to start.
    Sqlite,
    /// MariaDB.
    MariaDb,
    /// PostgreSQL.
    Postgres,
    /// OceanBase.
    OceanBase,
}

impl Engine {
    /// All of them, SQLite first.
    pub const ALL: [Self; 4] = [Self::Sqlite, Self::MariaDb, Self::Postgres, Self::OceanBase];

    /// The one that `CREWD_TEST_DATABASE` names for the whole suite: SQLite without it.
    ///
    /// # Panics
    /// For a name that is none.
    #[must_use]
    pub fn of_suite() -> Self {
        let name = std::env::var("CREWD_TEST_DATABASE").unwrap_or_default();
        match name.as_str() {
            "" | "sqlite" => Self::Sqlite,
            "mariadb" => Self::MariaDb,
            "postgres" => Self::Postgres,
            "oceanbase" => Self::OceanBase,
            other => panic!("CREWD_TEST_DATABASE is {other}; it may be sqlite, mariadb, postgres or oceanbase"),
        }
    }

    /// What must run for it; `None` for SQLite.
    #[must_use]
    pub const fn service(self) -> Option<Service> {
        match self {
            Self::Sqlite => None,
            Self::MariaDb => Some(Service::MariaDb),
            Self::Postgres => Some(Service::Postgres),
            Self::OceanBase => Some(Service::OceanBase),
        }
    }
}
