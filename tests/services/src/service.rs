//! Where services are.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

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

    /// The address of a database of a new name on this server. It is not made: crewd does that.
    #[must_use]
    pub fn new_database(self) -> Option<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let base = self.url()?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Some(format!("{}/crewd_test_{}_{since}_{count}", base.trim_end_matches('/'), std::process::id()))
    }

    fn look(self) -> Option<String> {
        let variable = format!("CREWD_TEST_{}_URL", self.name().to_uppercase());
        let named = std::env::var(variable).ok().filter(|url| !url.is_empty());
        named.or_else(|| held::start(self.name()))
    }
}
