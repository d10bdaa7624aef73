//! Which engine an address names.

use anyhow::Context;
use url::Url;

/// How a database is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// The protocol of MySQL: MariaDB and OceanBase, too.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

/// A server's address.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) engine: Engine,
    url: Url,
}

impl Address {
    /// Understands what the product's own setting understands, driver names of Python included.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Self> {
        let (scheme, rest) = text.split_once("://").context("an address begins with the engine's name and ://")?;
        let name = scheme.split_once('+').map_or(scheme, |(name, _)| name);
        let (engine, scheme) = match name {
            "mysql" | "mariadb" | "oceanbase" => (Engine::Mysql, "mysql"),
            "postgres" | "postgresql" => (Engine::Postgres, "postgres"),
            other => anyhow::bail!("{other}:// is no database server"),
        };
        let url = Url::parse(&format!("{scheme}://{rest}")).context("this is no address of a database server")?;
        anyhow::ensure!(url.has_host(), "the address names no host");
        Ok(Self { engine, url })
    }

    /// The same server, another database; none at all where `name` is empty.
    pub(crate) fn of(&self, name: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(name);
        url.to_string()
    }

    /// Where somebody connects who wants no database in particular.
    pub(crate) fn of_administrator(&self) -> String {
        self.of(if self.engine == Engine::Postgres { "postgres" } else { "" })
    }

    /// The port on which the server listens.
    pub(crate) fn port(&self) -> u16 {
        self.url.port().unwrap_or(if self.engine == Engine::Postgres { 5432 } else { 3306 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_server_is_named_with_another_database() {
        for (given, of, administrator) in [
            ("mysql+aiomysql://u:p@127.0.0.1:2881/db", "mysql://u:p@127.0.0.1:2881/x", "mysql://u:p@127.0.0.1:2881"),
            ("oceanbase://u%40t%23c@h", "mysql://u%40t%23c@h/x", "mysql://u%40t%23c@h"),
            ("postgresql+asyncpg://u@h:5/db?a=1", "postgres://u@h:5/x?a=1", "postgres://u@h:5/postgres?a=1"),
        ] {
            let address = Address::parse(given).unwrap();
            assert_eq!(address.of("x"), of);
            assert_eq!(address.of_administrator().trim_end_matches('/'), administrator);
        }
    }

    #[test]
    fn files_and_nonsense_are_no_servers() {
        for wrong in ["sqlite://a.db", "data.db", "mssql://h/db", "postgres:///db"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
    }
}
