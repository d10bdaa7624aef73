//! Which database, and how many connections.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("database.url", "APP_DATABASE_URL").address(),
    Variable::new("database.pool_size", "APP_DATABASE_POOL_SIZE"),
    Variable::new("database.max_overflow", "APP_DATABASE_MAX_OVERFLOW"),
];

/// File name of the embedded database inside the data folder.
const EMBEDDED_FILE: &str = "crewd.db";

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
}

impl DatabaseSettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        let url = reader.text("database.url").map(|url| without_driver(&url));
        if let Some(url) = &url
            && !is_known(url)
        {
            reader.reject_value("database.url", "an address that starts with sqlite://, mysql:// or postgres://");
        }
        Self {
            url: url.map(SecretString::from),
            pool_size: reader.number("database.pool_size", 1..=1_000),
            max_overflow: reader.number("database.max_overflow", 0..=1_000),
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
