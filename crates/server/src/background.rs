//! Loops that call a service's tick.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::crews::CrewService;
use crewd_application::ports::RunQueue;
use crewd_application::runs::{RecoveryService, WakeService};
use crewd_application::schedules::SchedulerService;
use crewd_application::webhooks::WebhookDispatcher;
use crewd_infrastructure::queue::ForeignEvents;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bootstrap::Exchange;

/// Looking for runs of dead workers.
const SWEEP: Duration = Duration::from_secs(5);
/// Looking for events that other processes wrote.
const FOREIGN_EVENTS: Duration = Duration::from_millis(250);
/// Looking for deliveries of webhooks that are due.
const WEBHOOKS: Duration = Duration::from_millis(500);
/// For how long attempts that were begun may go on at the end.
const LAST_ATTEMPTS: Duration = Duration::from_secs(3);
/// Looking for runs that have waited for long.
const AGING: Duration = Duration::from_secs(30);
/// Looking for runs without a worker whose time has come.
const WAKE: Duration = Duration::from_secs(1);
/// Looking for definitions that other processes took.
const DEFINITIONS: Duration = Duration::from_secs(2);

/// Looking for schedules whose time has come.
const SCHEDULES: Duration = Duration::from_secs(1);

/// The loops of a process; they end with their token.
pub(crate) struct Background {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Background {
    pub(crate) fn new() -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Puts runs of dead workers back into the queue.
    pub(crate) fn sweep_lost_runs(&self, recovery: Arc<RecoveryService>) {
        self.every(SWEEP, move || {
            let recovery = recovery.clone();
            async move {
                match recovery.sweep().await {
                    Ok(0) => {}
                    Ok(runs) => tracing::warn!(runs, "runs of lost workers were taken up again"),
                    Err(error) => tracing::warn!(error = %error, "lost runs could not be looked for"),
                }
            }
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

    /// Submits the tasks of schedules whose time has come. Any number of processes may do so at once.
    pub(crate) fn fire_schedules(&self, scheduler: Arc<SchedulerService>) {
        self.every(SCHEDULES, move || {
            let scheduler = scheduler.clone();
            async move {
                match Box::pin(scheduler.tick()).await {
                    Ok(ticked) => {
                        for (schedule, error) in ticked.failures {
                            tracing::warn!(%schedule, error = %error, "a schedule could not be carried out");
                        }
                        if ticked.submitted + ticked.left_out > 0 {
                            tracing::info!(tasks = ticked.submitted, left_out = ticked.left_out, "schedules fired");
                        }
                    }
                    Err(error) => tracing::warn!(error = %error, "due schedules could not be looked for"),
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

    /// Moves runs up that have waited for long. Any number of processes may do so at once.
    pub(crate) fn age_queue(&self, queue: Arc<dyn RunQueue>) {
        self.every(AGING, move || {
            let queue = queue.clone();
            async move {
                match queue.age().await {
                    Ok(0) => {}
                    Ok(runs) => tracing::info!(runs, "runs that waited for long moved up a class"),
                    Err(error) => tracing::warn!(error = %error, "the queue could not be aged"),
                }
            }
        });
    }

    /// Queues, wakes, expires and cancels runs that no worker holds. Any number of processes may do so at once.
    pub(crate) fn wake_runs(&self, waker: Arc<WakeService>) {
        self.every(WAKE, move || {
            let waker = waker.clone();
            async move {
                if let Err(error) = waker.tick().await {
                    tracing::warn!(error = %error, "runs whose time has come could not be looked for");
                }
            }
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

    fn every<F, W>(&self, period: Duration, work: F)
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
