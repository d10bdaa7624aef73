//! Servers that the proof and the load tests run against, seen from outside: nothing of the product is asked here.
//!
//! The rule: this crate only makes, reads and removes; what is right or fast is judged by those who use it.
//!
//! | module | what is in it |
//! |---|---|
//! | `address` | which engine an address names, and the same server with another database |
//! | `connection` | one connection to any engine: statements, rows as text |
//! | `server` | a database server: a fresh database a part, sessions that are cut off |
//! | `redis` | a Redis: an own process that can be stopped, or one that is there |
//! | `process` | CPU time of a server with all its processes |

mod address;
mod connection;
mod process;
mod redis;
mod server;

pub use address::Engine;
pub use connection::{Connection, Rows};
pub use process::{Processes, processor_seconds};
pub use redis::{RedisProcess, flush, version};
pub use server::{Place, Server, open};
