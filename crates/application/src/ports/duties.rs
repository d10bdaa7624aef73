//! What one process of an installation does for all of them.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::store::StoreError;

/// Work that is done again and again, and that many processes would only do twice. It stays right when two of them do
/// it: what a duty changes is changed by compare-and-swap. That one alone does it spares the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Duty {
    /// Runs without a living worker: expired leases, timers, questions that expire, orders to waiting runs, aging.
    Runs,
    /// Schedules whose time has come.
    Schedules,
}

impl Duty {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Runs, Self::Schedules];

    /// Its name in the database and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Schedules => "schedules",
        }
    }
}

/// Who has which duty. All instants are the database's: clocks of processes have no part in it.
#[async_trait]
pub trait Duties: Send + Sync {
    /// Takes a duty that nobody holds, or prolongs it for its holder, `lease` long from the database's present. Gives the
    /// epoch of the tenure, which grows with each change of holder; `None` while somebody else has it.
    ///
    /// # Errors
    /// Where the database does not answer; who held the duty holds it until its lease expires.
    async fn hold(&self, duty: Duty, holder: Uuid, lease: Duration) -> Result<Option<u64>, StoreError>;

    /// Gives a duty back, so that another one may take it at once. Nothing happens to a duty that somebody else has.
    ///
    /// # Errors
    /// Where the database does not answer; the duty is free when its lease expires.
    async fn release(&self, duty: Duty, holder: Uuid) -> Result<(), StoreError>;
}
