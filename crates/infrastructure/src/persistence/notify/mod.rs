//! Hints between processes over PostgreSQL's `LISTEN` and `NOTIFY`.
//!
//! Each process listens on a connection of its own, and tells the others over one of its connections for reading, never
//! inside of a transaction that writes: PostgreSQL commits transactions that notify one after the other.
//!
//! | module | what is in it |
//! |---|---|
//! | `transport` | [`PostgresNotify`]: the way of hints |
//! | `listening` | the connection that listens, and whether it still hears |
//! | `neighbours` | whether there are other processes at all |

mod listening;
mod neighbours;
#[cfg(test)]
mod tests;
mod transport;

pub use transport::PostgresNotify;
