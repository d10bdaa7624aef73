//! Loops that call a service's tick, in every process. Those of one process at a time are in `duties`.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::crews::CrewService;
use crewd_application::runs::RecoveryService;
use crewd_application::webhooks::WebhookDispatcher;
use crewd_infrastructure::clock::NodeClock;
use crewd_infrastructure::persistence::Database;
use crewd_infrastructure::queue::ForeignEvents;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bootstrap::Exchange;

/// Looking for workers that died on this machine.
const DEATHS: Duration = Duration::from_secs(1);
/// Comparing this node's clock with the database's.
const CLOCK: Duration = Duration::from_secs(10);
/// Looking for events that other processes wrote.
const FOREIGN_EVENTS: Duration = Duration::from_millis(250);
/// Looking for deliveries of webhooks that are due.
const WEBHOOKS: Duration = Duration::from_millis(500);
/// For how long attempts that were begun may go on at the end.
const LAST_ATTEMPTS: Duration = Duration::from_secs(3);
/// Looking for definitions that other processes took.
const DEFINITIONS: Duration = Duration::from_secs(2);

/// The loops of a process; they end with their token.
pub(crate) struct Background {
    pub(crate) tracker: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Background {
    pub(crate) fn new() -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Hands on runs of workers that died on this machine, which other machines cannot see before the leases expire.
    pub(crate) fn look_for_dead(&self, recovery: Arc<RecoveryService>) {
        self.every(DEATHS, move || {
            let recovery = recovery.clone();
            async move { taken_up(recovery.look_for_dead().await) }
        });
    }

    /// Keeps the clock of this process at the database's time, whatever the machine's own says.
    pub(crate) fn follow_database_clock(&self, clock: NodeClock, database: Database) {
        self.every(CLOCK, move || {
            let (clock, database) = (clock.clone(), database.clone());
            async move { agree(&clock, &database).await }
        });
    }

    /// Tells the readers of this process of events that other processes wrote.
    pub(crate) fn follow_foreign_events(&self, foreign: Arc<ForeignEvents>) {
        self.every(FOREIGN_EVENTS, move || {
            let foreign = foreign.clone();
            async move {
                if let Err(error) = foreign.tick().await {
                    tracing::warn!(error = %error, "events of other processes could not be looked for");
                }
            }
        });
    }

    /// Takes definitions that came in through other processes.
    pub(crate) fn refresh_definitions(&self, crews: Arc<CrewService>) {
        self.every(DEFINITIONS, move || {
            let crews = crews.clone();
            async move {
                if let Err(error) = crews.refresh_followed().await {
                    tracing::warn!(error = %error, "definitions could not be read");
                }
            }
        });
    }

    /// Sends what webhooks are to be told. Any number of processes may do so at once.
    pub(crate) fn send_webhooks(&self, dispatcher: Arc<WebhookDispatcher>) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            loop {
                if let Err(error) = dispatcher.tick().await {
                    tracing::warn!(error = %error, "deliveries of webhooks could not be looked for");
                    tokio::time::sleep(WEBHOOKS).await;
                }
                let next = async {
                    tokio::select! {
                        () = dispatcher.woken() => {}
                        () = tokio::time::sleep(WEBHOOKS) => {}
                    }
                };
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = next => {}
                }
            }
            dispatcher.finish(LAST_ATTEMPTS).await;
        });
    }

    /// Exchanges hints with other processes, where there is a way for them.
    pub(crate) fn exchange_hints(&self, exchange: Option<Exchange>, works: bool) {
        if let Some(exchange) = exchange {
            let stop = self.stop.clone();
            self.tracker.spawn(async move { stop.run_until_cancelled(exchange.run(works)).await });
        }
    }

    /// Ends all loops.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Calls the work again and again, with a pause after each.
    pub(crate) fn every<F, W>(&self, period: Duration, work: F)
    where
        F: Fn() -> W + Send + 'static,
        W: Future<Output = ()> + Send,
    {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => work().await,
                }
            }
        });
    }
}

/// Tells of runs that were handed on.
pub(crate) fn taken_up(moved: crewd_application::error::Result<usize>) {
    match moved {
        Ok(0) => {}
        Ok(runs) => tracing::warn!(runs, "runs of lost workers were taken up again"),
        Err(error) => tracing::warn!(error = %error, "lost runs could not be looked for"),
    }
}

/// Notes the database's present, and says so where this node's own clock is wrong.
pub(crate) async fn agree(clock: &NodeClock, database: &Database) {
    match clock.agree_with(database.present()).await {
        Ok(None) => {}
        Ok(Some(ahead)) => {
            let seconds = ahead.num_seconds();
            tracing::warn!(seconds, "this machine's clock is so far ahead of the database's, whose time is used");
        }
        Err(error) => tracing::warn!(%error, "the database's clock could not be read"),
    }
}
