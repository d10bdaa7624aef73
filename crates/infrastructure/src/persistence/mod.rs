//! The database behind the ports of the store, the queries and the queue.
//!
//! One [`Database`] a process. All writes go through its writer, which commits for many callers at once; reads go
//! through a small pool of their own and never wait for the writer. SQLite is the only database yet, but every
//! statement is written so that MySQL, OceanBase and PostgreSQL read it, too: what they say differently is in
//! `dialect`.
//!
//! | module | what is in it |
//! |---|---|
//! | `address` | what a database URL means |
//! | `database` | [`Database`]: opening, pools, closing |
//! | `sqlite` | how SQLite files are opened |
//! | `session` | connections that are kept |
//! | `schema` | migrations: up, down, status |
//! | `dialect` | words that differ between databases |
//! | `rows` | how values of the domain lie in tables |
//! | `writer` | group commit, claims |
//! | `queries` | the read side |
//! | `tenants` | which tenants have queued runs |
//! | `leases` | the heartbeat, on a connection of its own |
//! | `webhooks` | endpoints and deliveries |
//! | `store`, `queue`, `schedules`, `health` | the ports |

mod address;
mod database;
mod dialect;
mod error;
mod health;
mod leases;
mod queries;
mod queue;
mod rows;
mod schedules;
mod schema;
mod session;
mod sqlite;
mod store;
mod tenants;
#[cfg(test)]
mod tests;
mod webhooks;
mod writer;

pub use database::{Database, DatabaseConfig, PoolState};
pub use error::DatabaseError;
pub use health::DatabaseHealth;
pub use leases::SeaLeases;
pub use queries::SeaRunQueries;
pub use queue::SeaRunQueue;
pub use schedules::SeaSchedules;
pub use schema::{is_current, migrate_down, migrate_up, migration_status};
pub use store::SeaStore;
pub use webhooks::SeaWebhooks;
