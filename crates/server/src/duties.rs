//! Loops of one process at a time: whichever has the duty.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::duties::{Leadership, Tenure};
use crewd_application::ports::RunQueue;
use crewd_application::runs::{RecoveryService, WakeService};
use crewd_application::schedules::SchedulerService;
use crewd_telemetry::Metrics;
use tokio::time::MissedTickBehavior;

use crate::background::{Background, taken_up};

/// How long a duty is held without renewal: when its holder dies, another process follows within 8 s.
pub(crate) const DUTY_LEASE: Duration = Duration::from_secs(6);
/// Looking for expired leases.
const SWEEP: Duration = Duration::from_secs(2);
/// Looking for runs that have waited for long.
const AGING: Duration = Duration::from_secs(30);
/// Looking for runs without a worker whose time has come.
const WAKE: Duration = Duration::from_secs(1);
/// Looking for schedules whose time has come.
const SCHEDULES: Duration = Duration::from_secs(1);

/// A duty of this process. Its loops work while the process has the duty.
pub(crate) struct Led<'background> {
    background: &'background Background,
    leadership: Arc<Leadership>,
}

impl Background {
    /// Tries to have a duty as long as this process works. It is given back when the loops end.
    pub(crate) async fn lead(&self, leadership: Leadership, metrics: Arc<Metrics>) -> Led<'_> {
        let leadership = Arc::new(leadership);
        // Before the first look of the loops that depend on it.
        renew(&leadership, &metrics).await;
        let (stop, part) = (self.stop.clone(), leadership.clone());
        self.tracker.spawn(async move {
            let mut ticks = tokio::time::interval(part.period());
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks.reset();
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                renew(&part, &metrics).await;
            }
            metrics.set_duty_leader(part.duty().as_str(), false);
            if let Err(error) = part.resign().await {
                tracing::warn!(duty = part.duty().as_str(), %error, "a duty could not be given back; its lease will expire");
            }
        });
        Led { background: self, leadership }
    }
}

impl Led<'_> {
    /// Puts runs of lost workers back into the queue.
    pub(crate) fn sweep_lost_runs(&self, recovery: Arc<RecoveryService>) {
        self.every(SWEEP, move || {
            let recovery = recovery.clone();
            async move { taken_up(recovery.sweep().await) }
        });
    }

    /// Submits the tasks of schedules whose time has come.
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

    /// Moves runs up that have waited for long.
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

    /// Queues, wakes, expires and cancels runs that no worker holds.
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

    fn every<F, W>(&self, period: Duration, work: F)
    where
        F: Fn() -> W + Send + 'static,
        W: Future<Output = ()> + Send,
    {
        let leadership = self.leadership.clone();
        self.background.every(period, move || {
            let work = leadership.leads().then(&work);
            async move {
                if let Some(work) = work {
                    work.await;
                }
            }
        });
    }
}

async fn renew(leadership: &Leadership, metrics: &Metrics) {
    let duty = leadership.duty().as_str();
    match leadership.renew().await {
        Ok(Tenure::Begun { epoch }) => tracing::info!(duty, epoch, "this process has the duty"),
        Ok(Tenure::Lost) => tracing::warn!(duty, "another process has taken the duty over"),
        Ok(Tenure::Kept | Tenure::Elsewhere) => {}
        Err(error) => tracing::warn!(duty, %error, "the duty could not be asked for"),
    }
    metrics.set_duty_leader(duty, leadership.leads());
}
