//! Where services are.

use std::sync::OnceLock;

use crate::database::{TestDatabase, new_name};
use crate::held;

/// Something that tests need a server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// MariaDB.
    MariaDb,
    /// PostgreSQL.
    Postgres,
    /// OceanBase.
    OceanBase,
    /// Redis.
    Redis,
}

impl Service {
    /// As `scripts/services.py` calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::Postgres => "postgres",
            Self::OceanBase => "oceanbase",
            Self::Redis => "redis",
        }
    }

    /// Its address, without a database: `mysql://root@127.0.0.1:3306`. `None` where it is not to be had, which has been
    /// said on standard output then.
    ///
    /// # Panics
    /// Where it is not to be had and `CREWD_TEST_REQUIRE=all` forbids that.
    #[must_use]
    pub fn url(self) -> Option<String> {
        static FOUND: [OnceLock<Option<String>>; 4] = [const { OnceLock::new() }; 4];
        let slot = match self {
            Self::MariaDb => &FOUND[0],
            Self::Postgres => &FOUND[1],
            Self::OceanBase => &FOUND[2],
            Self::Redis => &FOUND[3],
        };
        let found = slot.get_or_init(|| self.look()).clone();
        if found.is_none() {
            let is_required = std::env::var("CREWD_TEST_REQUIRE").is_ok_and(|what| what == "all");
            assert!(!is_required, "{} not found, and CREWD_TEST_REQUIRE=all", self.name());
            println!("skipped: {} not found", self.name());
        }
        found
    }

    /// A new, empty database on this server; `None` where the server is not to be had.
    ///
    /// # Panics
    /// As [`Service::url`], and where the server refuses.
    #[must_use]
    pub fn database(self) -> Option<TestDatabase> {
        Some(TestDatabase::create(self, &self.url()?))
    }

    /// The address of a database with a new name. It is not made: crewd does that.
    #[must_use]
    pub fn new_database(self) -> Option<String> {
        Some(format!("{}/{}", self.url()?.trim_end_matches('/'), new_name()))
    }

    /// Redis for the whole suite, where `CREWD_TEST_REDIS` asks for it; without it single tests alone use one.
    ///
    /// # Panics
    /// Where it is asked for and not to be had.
    #[must_use]
    pub fn redis_of_suite() -> Option<String> {
        std::env::var_os("CREWD_TEST_REDIS").filter(|asked| asked == "1")?;
        Some(Self::Redis.url().expect("CREWD_TEST_REDIS asks for a Redis, which is not to be had"))
    }

    fn look(self) -> Option<String> {
        let variable = format!("CREWD_TEST_{}_URL", self.name().to_uppercase());
        let named = std::env::var(variable).ok().filter(|url| !url.is_empty());
        named.or_else(|| held::start(self.name()))
    }
}
