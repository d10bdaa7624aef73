//! Takes what is due and sends it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::attempt::{DeliveryObserver, attempt};
use crate::ports::{Clock, DueDelivery, Outbound, RunQueries, SecretSealer, StoreError, WebhookSigner, WebhookStore};

/// Messages that become deliveries in one step.
const MESSAGES: u32 = 200;
/// Such steps of one tick.
const STEPS: u32 = 10;
/// Deliveries that this process sends at once.
const AT_ONCE: usize = 64;
/// After so long without a report a delivery is due again: longer than any attempt lasts.
const LEASE: Duration = Duration::from_secs(40);

/// What the dispatcher works with.
pub struct DispatcherParts {
    /// Messages and deliveries.
    pub store: Arc<dyn WebhookStore>,
    /// The tasks that messages are about.
    pub queries: Arc<dyn RunQueries>,
    /// The way out.
    pub outbound: Arc<dyn Outbound>,
    /// Signs.
    pub signer: Arc<dyn WebhookSigner>,
    /// Opens secrets.
    pub sealer: Arc<dyn SecretSealer>,
    /// Counts.
    pub observer: Arc<dyn DeliveryObserver>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Sends deliveries. Any number of processes may have one: the store gives each delivery to one of them at a time. A
/// delivery that was sent and not reported, because its process died, is sent again: at least once, never only maybe.
pub struct WebhookDispatcher {
    parts: Arc<DispatcherParts>,
    at_work: Mutex<JoinSet<()>>,
    woken: Arc<Notify>,
}

impl WebhookDispatcher {
    /// A dispatcher over its parts.
    #[must_use]
    pub fn new(parts: DispatcherParts) -> Self {
        Self { parts: Arc::new(parts), at_work: Mutex::default(), woken: Arc::default() }
    }

    /// Turns messages into deliveries and begins to send what is due; how many were begun. They go on by themselves, a
    /// slow receiver holds up nobody else.
    ///
    /// # Errors
    /// Where the database does not answer; nothing is lost then.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        for _ in 0..STEPS {
            if self.parts.store.expand(MESSAGES).await? < MESSAGES {
                break;
            }
        }
        let free = AT_ONCE.saturating_sub(self.busy());
        if free == 0 {
            return Ok(0);
        }
        let due = self.parts.store.claim(u32::try_from(free).unwrap_or(u32::MAX), LEASE).await?;
        let count = due.len();
        let mut at_work = self.at_work();
        for delivery in due {
            let (parts, woken) = (self.parts.clone(), self.woken.clone());
            at_work.spawn(async move {
                deliver(&parts, &delivery).await;
                // Its endpoint may have waited for this place.
                woken.notify_one();
            });
        }
        Ok(count)
    }

    /// There may be something to send. Never blocks.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Returns at the next call of [`Self::wake`], and when an attempt has ended; one that came since the last call
    /// counts.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Waits until everything that was begun is reported, but no longer than `limit`; what is still open then is broken
    /// off and sent again later.
    pub async fn finish(&self, limit: Duration) {
        let mut at_work = std::mem::take(&mut *self.at_work());
        let all = async { while at_work.join_next().await.is_some() {} };
        // What is left is aborted when the set is dropped.
        tokio::time::timeout(limit, all).await.ok();
    }

    fn busy(&self) -> usize {
        let mut at_work = self.at_work();
        while at_work.try_join_next().is_some() {}
        at_work.len()
    }

    fn at_work(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn deliver(parts: &DispatcherParts, due: &DueDelivery) {
    let (outcome, result) = attempt(parts, due).await;
    match parts.store.report(outcome).await {
        Ok(()) => parts.observer.attempted(result),
        Err(error) => parts.observer.unreported(&error),
    }
}
