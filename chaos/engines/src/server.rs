//! A database server: a fresh database a part.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use crewd_infrastructure::persistence::{Database, DatabaseConfig};

use crate::address::{Address, Engine};
use crate::connection::Connection;
use crate::process::Processes;

/// A server that databases are made on.
#[derive(Debug)]
pub struct Server {
    address: Address,
    product: String,
    version: String,
    made: AtomicUsize,
    left: Mutex<Vec<String>>,
}

/// A database that was made here.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its address, as the product's setting takes it.
    pub url: String,
}

impl Server {
    /// Connects and asks who it is.
    ///
    /// # Errors
    /// For an address that is not understood, and where nobody answers.
    pub async fn connect(url: &str) -> anyhow::Result<Arc<Self>> {
        let address = Address::parse(url)?;
        let mut connection = Connection::to_server(&address.of_administrator()).await.context("the database server")?;
        let (product, version) = match address.engine {
            Engine::Postgres => ("PostgreSQL".to_owned(), first_word(&connection.text("SHOW server_version").await?)),
            Engine::Mysql | Engine::Sqlite => product(&connection.text("SELECT VERSION()").await?),
        };
        connection.close().await;
        Ok(Arc::new(Self { address, product, version, made: AtomicUsize::new(0), left: Mutex::default() }))
    }

    /// How it is spoken to.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.address.engine
    }

    /// `PostgreSQL`, `MariaDB`, `OceanBase`, `MySQL`.
    #[must_use]
    pub fn product(&self) -> &str {
        &self.product
    }

    /// Product and version.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.product, self.version)
    }

    /// Whether it answers now.
    pub async fn answers(&self) -> bool {
        let Ok(mut connection) = Connection::to_server(&self.address.of_administrator()).await else { return false };
        let answer = connection.number("SELECT 1").await;
        connection.close().await;
        answer.is_ok()
    }

    /// Makes an empty database; `part` becomes a piece of its name.
    ///
    /// # Errors
    /// What the server says.
    pub async fn create(&self, part: &str) -> anyhow::Result<Place> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let part: String = part.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' }).take(32).collect();
        let name = format!("crewd_{}_{number}_{}", std::process::id(), part.to_lowercase());
        self.drop_database(&name).await?;
        let make = match self.address.engine {
            Engine::Postgres => format!("CREATE DATABASE {name}"),
            Engine::Mysql | Engine::Sqlite => format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        };
        self.administer(&make).await?;
        self.left().push(name.clone());
        Ok(Place { url: self.address.of(&name), name })
    }

    /// Removes a database with everything in it, whoever is still connected.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove(&self, place: &Place) -> anyhow::Result<()> {
        self.drop_database(&place.name).await?;
        self.left().retain(|name| *name != place.name);
        Ok(())
    }

    /// Removes what was made here and is still there, but for some; gives names of databases that could not be removed.
    pub async fn clean(&self, keep: &[String]) -> Vec<String> {
        let names = std::mem::take(&mut *self.left());
        let mut stay = Vec::new();
        for name in names {
            if !keep.contains(&name) && self.drop_database(&name).await.is_err() {
                stay.push(name);
            }
        }
        stay
    }

    /// Cuts off everybody who is connected to a database; how many sessions.
    ///
    /// # Errors
    /// What the server says.
    pub async fn cut_off(&self, place: &Place) -> anyhow::Result<usize> {
        let mut connection = Connection::to_server(&self.address.of_administrator()).await?;
        let name = &place.name;
        let count = if self.address.engine == Engine::Postgres {
            let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            connection.rows(&sql).await?.rows.len()
        } else {
            let sql = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
            let sessions = connection.rows(&sql).await?.rows;
            for id in sessions.iter().flatten().flatten() {
                // A session that has gone meanwhile is no error.
                drop(connection.execute(&format!("KILL {id}")).await);
            }
            sessions.len()
        };
        connection.close().await;
        Ok(count)
    }

    /// Commits since the server was started, where it tells.
    pub async fn commits(&self, place: &Place) -> Option<i64> {
        let mut connection = Connection::to_server(&self.address.of_administrator()).await.ok()?;
        let found = if self.address.engine == Engine::Postgres {
            // Sessions report once a second at most.
            let sql = format!("SELECT xact_commit FROM pg_stat_database WHERE datname = '{}'", place.name);
            connection.number(&sql).await.ok()
        } else {
            let found = connection.rows("SHOW GLOBAL STATUS LIKE 'Com_commit'").await.ok();
            found.and_then(|found| found.rows.first()?.get(1)?.as_ref()?.parse().ok())
        };
        connection.close().await;
        found
    }

    /// The processes of the server, if it runs on this machine and they may be looked at.
    #[must_use]
    pub fn processes(&self) -> Option<Processes> {
        Processes::listening_on(self.address.port())
    }

    async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        self.administer(&match self.address.engine {
            Engine::Postgres => format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            Engine::Mysql | Engine::Sqlite => format!("DROP DATABASE IF EXISTS {name}"),
        })
        .await
    }

    async fn administer(&self, sql: &str) -> anyhow::Result<()> {
        let mut connection = Connection::to_server(&self.address.of_administrator()).await?;
        let done = connection.execute(sql).await;
        connection.close().await;
        done.map(drop)
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a database by the product's own adapter.
///
/// # Errors
/// What the adapter says.
pub async fn open(url: &str) -> anyhow::Result<Database> {
    Ok(Database::connect(DatabaseConfig { pool_size: 1, ..DatabaseConfig::new(url) }).await?)
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Product and version out of what a server of this protocol calls its version.
fn product(text: &str) -> (String, String) {
    if let Some((_, rest)) = text.split_once("-OceanBase") {
        let version = rest.trim_start_matches(['-', ' ']).trim_start_matches('v');
        return ("OceanBase".to_owned(), first_word(version));
    }
    let version = text.split('-').next().unwrap_or_default().to_owned();
    let name = if text.contains("MariaDB") { "MariaDB" } else { "MySQL" };
    (name.to_owned(), version)
}

#[cfg(test)]
mod tests {
    use super::product;

    #[test]
    fn servers_say_who_they_are() {
        for (said, name, version) in [
            ("10.11.11-MariaDB-0+deb12u1", "MariaDB", "10.11.11"),
            ("5.7.25-OceanBase seekdb-v1.4.0.0", "OceanBase", "seekdb-v1.4.0.0"),
            ("5.7.25-OceanBase-v4.3.5.2", "OceanBase", "4.3.5.2"),
            ("8.0.41", "MySQL", "8.0.41"),
        ] {
            assert_eq!(product(said), (name.to_owned(), version.to_owned()));
        }
    }
}
