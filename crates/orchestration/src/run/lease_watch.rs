//! Whether this process may still believe that its leases are its own.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// When the leases of a worker were last renewed. A process that was stopped for longer than its leases last (a signal,
/// a frozen machine, no processor time) finds out here, before it does anything outside of the database: there no
/// fencing number holds it back.
#[derive(Debug)]
pub struct LeaseWatch {
    renewed: Mutex<Instant>,
    /// How long after a renewal effects may begin; `None` for ever.
    trust: Option<Duration>,
}

impl Default for LeaseWatch {
    /// Trusts for ever: for runs that nobody else could take.
    fn default() -> Self {
        Self { renewed: Mutex::new(Instant::now()), trust: None }
    }
}

impl LeaseWatch {
    /// Leases of this length; they are trusted for two thirds of it.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self { renewed: Mutex::new(Instant::now()), trust: Some(lease * 2 / 3) }
    }

    /// The leases were renewed, or there were none, at this instant.
    pub fn note(&self, at: Instant) {
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Whether an effect may begin now.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        self.trust.is_none_or(|trust| renewed.elapsed() < trust)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_trusted_for_two_thirds_of_its_time() {
        let watch = LeaseWatch::new(Duration::from_secs(15));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(watch.is_fresh());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!watch.is_fresh());
        watch.note(Instant::now());
        assert!(watch.is_fresh());
        assert!(LeaseWatch::default().is_fresh());
    }
}
