//! Time and ids, so that tests and replays can fix them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The wall clock. Never used for leases and expiry: those go by the database's clock.
pub trait Clock: Send + Sync {
    /// The present instant, cut to microseconds (what every database keeps).
    fn now(&self) -> DateTime<Utc>;
}

/// Source of ids.
pub trait IdGenerator: Send + Sync {
    /// A new UUID of version 7: later ids sort after earlier ones.
    fn next_id(&self) -> Uuid;
}
