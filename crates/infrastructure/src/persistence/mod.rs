//! The database behind the ports of the store, the queries and the queue.
//!
//! One [`Database`] a process. All writes go through its writer, which commits for many callers at once; reads go
//! through a small pool of their own and never wait for the writer. Every statement is written so that SQLite, MySQL,
//! MariaDB, OceanBase and PostgreSQL read it: what they say differently is in `dialect`.
//!
//! | module | what is in it |
//! |---|---|
//! | `address` | what a database URL means |
//! | `config` | [`DatabaseConfig`]: how to use it |
//! | `database` | [`Database`]: opening, closing, making |
//! | `info` | what a database says of itself, and what it can do |
//! | `pools` | the connections of an open database |
//! | `sqlite`, `server` | how files are opened, and servers connected to |
//! | `session` | connections that are kept |
//! | `schema` | migrations: up, down, status |
//! | `dialect` | words that differ between databases |
//! | `rows` | how values of the domain lie in tables |
//! | `writer` | group commit, claims |
//! | `queries` | the read side |
//! | `tenants` | which tenants have queued runs |
//! | `transfer` | moving an installation to another database |
//! | `leases` | the heartbeat, on a connection of its own |
//! | `duties` | what one process does for all |
//! | `notify` | hints between processes over PostgreSQL's notifications |
//! | `webhooks` | endpoints and deliveries |
//! | `store`, `queue`, `schedules`, `health` | the ports |

mod address;
mod config;
mod database;
mod dialect;
mod duties;
mod error;
mod health;
mod info;
mod leases;
mod notify;
mod pools;
mod queries;
mod queue;
mod rows;
mod schedules;
mod schema;
mod server;
mod session;
mod sqlite;
mod store;
mod tenants;
#[cfg(test)]
mod tests;
mod transfer;
mod webhooks;
mod writer;

pub use config::{DatabaseConfig, Tls, TlsMode};
pub use database::{Database, PoolState, create_database};
pub use duties::SeaDuties;
pub use error::DatabaseError;
pub use health::DatabaseHealth;
pub use info::{Capabilities, DatabaseInfo, Engine};
pub use leases::SeaLeases;
pub use notify::PostgresNotify;
pub use queries::SeaRunQueries;
pub use queue::SeaRunQueue;
pub use schedules::SeaSchedules;
pub use schema::{is_current, migrate_down, migrate_up, migration_plan, migration_status};
pub use store::SeaStore;
pub use transfer::{MovedTable, TransferError, is_half_moved, move_database};
pub use webhooks::SeaWebhooks;
