//! Keeping leases, and stopping in time where they are lost.
//!
//! In a server it beats on a thread of its own: tools and a full queue of tasks may keep the shared runtime busy for
//! seconds, and a worker that is alive must not lose its runs for that.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::LeaseRenewal;
use crewd_domain::shared::{RunId, WorkerId};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::active::ActiveRuns;
use crate::run::LeaseWatch;

/// What a heartbeat works with.
pub(super) struct Heartbeat {
    pub(super) id: WorkerId,
    pub(super) lease: Duration,
    pub(super) leases: Arc<dyn LeaseRenewal>,
    pub(super) active: Arc<ActiveRuns>,
    /// Told of each renewal.
    pub(super) watch: Arc<LeaseWatch>,
    /// Told after each renewal that left runs behind which nobody works on.
    pub(super) orphans: Arc<Notify>,
}

/// A heartbeat that beats until it is dropped.
pub(super) struct Beating {
    stop: CancellationToken,
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Heartbeat {
    /// Starts to beat: on a thread of its own, or on the current runtime, where tests hold the clock.
    pub(super) fn start(self, own_thread: bool) -> Beating {
        let stop = CancellationToken::new();
        let until = stop.clone();
        let beat = async move {
            tokio::select! {
                () = until.cancelled() => {}
                () = self.beat() => {}
            }
        };
        if !own_thread {
            drop(tokio::spawn(beat));
            return Beating { stop };
        }
        let fallback = tokio::runtime::Handle::current();
        let body = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(beat),
            Err(error) => {
                tracing::error!(%error, "the heartbeat has no runtime of its own; it shares that of the process");
                drop(fallback.spawn(beat));
            }
        };
        if let Err(error) = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(body) {
            // Without a heartbeat every lease is lost after its time and the runs go to other workers.
            tracing::error!(%error, "the heartbeat could not be started");
        }
        Beating { stop }
    }

    /// Renews all leases a few times within their life. Work on a run whose lease is gone is dropped at once.
    async fn beat(&self) {
        let mut ticks = tokio::time::interval(self.lease / 3);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed = Instant::now();
        loop {
            ticks.tick().await;
            let before = self.active.ids();
            if before.is_empty() && !self.active.has_orphans() {
                renewed = Instant::now();
                self.watch.note(renewed);
                continue;
            }
            let Some(held) = self.renew(&mut renewed).await else { continue };
            let lost = self.active.abort_all_but(&before, &held);
            if lost > 0 {
                tracing::warn!(lost, "work on runs was dropped: their leases are lost");
            }
            if self.active.has_orphans() {
                self.active.set_held(held);
                self.orphans.notify_one();
            }
        }
    }

    /// The runs that are still held; `None` where it is not known and not yet too late.
    async fn renew(&self, renewed: &mut Instant) -> Option<HashSet<RunId>> {
        // What the database prolongs, it prolongs after this instant.
        let asked = Instant::now();
        // A database that hangs must not keep this worker from stopping in time.
        let answer = tokio::time::timeout(self.lease / 3, self.leases.renew(self.id, self.lease)).await;
        match answer {
            Ok(Ok(held)) => {
                *renewed = asked;
                self.watch.note(asked);
                Some(held.into_iter().collect())
            }
            // Stop before another node may begin: two thirds of a lease without renewal.
            _ if renewed.elapsed() >= self.lease * 2 / 3 => Some(HashSet::new()),
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "leases could not be renewed");
                None
            }
            Err(_elapsed) => {
                tracing::warn!("leases could not be renewed in time");
                None
            }
        }
    }
}
