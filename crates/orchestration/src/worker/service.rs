//! The worker: claims, leases, orders, draining.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crewd_application::ports::{
    ClaimedRun, ControlItem, CrewCatalog, LeaseRenewal, LostRun, RunOrders, RunQueries, RunQueue, StoreError, WorkSignal,
};
use crewd_application::runs::{Committer, release};
use crewd_domain::shared::{RunId, WorkerId};
use crewd_telemetry::trace_context::{TraceContext, set_parent};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Notify, Semaphore};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::active::{ActiveRuns, Orphaned};
use super::claim::{Definitions, recorded};
use super::heartbeat::Heartbeat;
use crate::journal::{RecordedSteps, RunJournal, RunJournalParts};
use crate::run::{Drain, EngineParts, LeaseWatch, OriginRecord, RunControl, RunEnd, RunRunner};

/// Runs claimed in one go.
const CLAIM_BATCH: usize = 64;
/// Looking for work of other processes, whose wake-up calls do not reach this one.
const POLL: Duration = Duration::from_millis(250);
/// Looking for orders of other processes.
const CONTROL_POLL: Duration = Duration::from_millis(100);
/// Writing that runs are handed back, once their steps are dropped.
const HAND_BACK_TIME: Duration = Duration::from_secs(5);

/// What a worker works with.
pub struct WorkerParts {
    /// Its id; a new start is a new worker.
    pub id: WorkerId,
    /// The queue.
    pub queue: Arc<dyn RunQueue>,
    /// The heartbeat.
    pub leases: Arc<dyn LeaseRenewal>,
    /// Reads.
    pub queries: Arc<dyn RunQueries>,
    /// Persist, then publish.
    pub committer: Committer,
    /// Reads pinned definitions.
    pub catalog: Arc<dyn CrewCatalog>,
    /// Wake-up calls.
    pub signal: Arc<dyn WorkSignal>,
    /// What runs are made with.
    pub engine: Arc<EngineParts>,
    /// Sizes and times.
    pub settings: WorkerSettings,
}

/// Sizes and times of a worker.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Runs at once.
    pub slots: usize,
    /// Whether the heartbeat has a thread of its own.
    pub heartbeat_thread: bool,
    /// How long a lease lasts without renewal.
    pub lease: Duration,
    /// How long running steps may go on when the worker stops.
    pub drain_timeout: Duration,
}

/// One worker of this process.
pub struct Worker {
    parts: WorkerParts,
    slots: Arc<Semaphore>,
    active: Arc<ActiveRuns>,
    definitions: Definitions,
    tracker: TaskTracker,
    drain: Drain,
    /// An order came for a run that is not among the active ones; it may be about to be.
    unheard: Notify,
    /// Runs were left behind; see [`Heartbeat`].
    orphans: Arc<Notify>,
    /// Whether the leases are still this worker's own.
    watch: Arc<LeaseWatch>,
}

/// Orders of this process take effect before they are acknowledged.
impl RunOrders for Worker {
    fn give(&self, order: &ControlItem) {
        match self.active.control(order.run_id) {
            Some(control) => control.obey(order),
            None => self.unheard.notify_one(),
        }
    }

    fn look(&self, run_id: RunId) {
        if self.active.control(run_id).is_some() {
            self.unheard.notify_one();
        }
    }
}

impl Worker {
    /// A worker that has not begun. Its presence must have been announced.
    #[must_use]
    pub fn new(parts: WorkerParts) -> Arc<Self> {
        let slots = Arc::new(Semaphore::new(parts.settings.slots.max(1)));
        let watch = Arc::new(LeaseWatch::new(parts.settings.lease));
        Arc::new(Self {
            parts,
            slots,
            active: Arc::default(),
            definitions: Definitions::default(),
            tracker: TaskTracker::new(),
            drain: Drain::default(),
            unheard: Notify::new(),
            orphans: Arc::default(),
            watch,
        })
    }

    /// Runs that are being worked on.
    #[must_use]
    pub fn active_runs(&self) -> usize {
        self.active.len()
    }

    /// Works until `shutdown`, then lets running steps finish and hands the runs back.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let heartbeat = self.heartbeat().start(self.parts.settings.heartbeat_thread);
        let orphans = tokio::spawn(self.clone().give_away_orphans());
        let orders = tokio::spawn(self.clone().hear_orders());
        while !shutdown.is_cancelled() {
            let claimed_all = self.claim_some().await;
            if claimed_all {
                continue;
            }
            self.parts.signal.set_room(self.slots.available_permits());
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.parts.signal.notified() => {}
                () = self.active.slot_freed(), if self.slots.available_permits() == 0 => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
        self.parts.signal.set_room(0);
        self.stop().await;
        drop(heartbeat);
        orphans.abort();
        orders.abort();
    }

    fn heartbeat(&self) -> Heartbeat {
        Heartbeat {
            id: self.parts.id,
            lease: self.parts.settings.lease,
            leases: self.parts.leases.clone(),
            active: self.active.clone(),
            watch: self.watch.clone(),
            orphans: self.orphans.clone(),
        }
    }

    /// Claims as many runs as there are free slots. Returns whether there may be more to claim at once.
    async fn claim_some(self: &Arc<Self>) -> bool {
        let free = self.slots.available_permits().min(CLAIM_BATCH);
        if free == 0 {
            return false;
        }
        let limit = u32::try_from(free).unwrap_or(u32::MAX);
        match self.parts.queue.claim(self.parts.id, limit, self.parts.settings.lease).await {
            Ok(claimed) => {
                let full = claimed.len() >= free;
                if !claimed.is_empty() {
                    crewd_application::fault::point(crewd_application::fault::Point::AfterClaim);
                }
                for run in claimed {
                    self.start(Box::new(run));
                }
                full
            }
            Err(error) => {
                tracing::warn!(error = %error, "no runs could be claimed");
                tokio::time::sleep(POLL).await;
                false
            }
        }
    }

    fn start(self: &Arc<Self>, claimed: Box<ClaimedRun>) {
        let Ok(slot) = self.slots.clone().try_acquire_owned() else { return };
        let id = claimed.run.id;
        let control = Arc::new(RunControl::new(self.drain.clone(), self.watch.clone()));
        for item in &claimed.controls {
            control.obey(item);
        }
        let mut hold = self.active.add(id, control.clone(), slot);
        let span = tracing::info_span!(
            parent: None,
            "run",
            otel.name = "process task",
            otel.kind = "consumer",
            run.id = %id,
            task.id = %claimed.task.id,
            tenant.id = %claimed.task.tenant_id,
            crew = %claimed.task.crew,
            request_id = %claimed.task.request_id,
        );
        if let Some(parent) = claimed.task.traceparent.as_deref().and_then(TraceContext::parse) {
            set_parent(&span, &parent);
        }
        let worker = self.clone();
        let takes_turns = claimed.run.concurrency_key.is_some();
        let work = async move {
            hold.settle(worker.work(claimed, control).await);
            if takes_turns {
                // Another run may have waited for just this one.
                worker.parts.signal.notify();
            }
        };
        let task = self.tracker.spawn(work.instrument(span));
        self.active.set_abort(id, task.abort_handle());
    }

    /// Works on a run. Returns why it has no end, if it has none and the lease may still be ours.
    async fn work(&self, mut claimed: Box<ClaimedRun>, control: Arc<RunControl>) -> Option<Orphaned> {
        let queries = &*self.parts.queries;
        let origin = match Box::pin(OriginRecord::read(queries, &claimed.task)).await {
            Ok(origin) => origin,
            Err(error) => return abandoned(&error),
        };
        let run = match Box::pin(recorded(queries, &mut claimed)).await {
            Ok(recorded) => self.begin(*claimed, recorded, control, origin),
            Err(error) => return abandoned(&error),
        };
        match run.await {
            RunEnd::Terminal(_) => None,
            RunEnd::HandedBack => {
                tracing::info!("run handed back");
                None
            }
            RunEnd::Parked(reason) => {
                tracing::info!(%reason, "run waits");
                None
            }
            RunEnd::Abandoned(error) => abandoned(&error),
        }
    }

    fn begin(
        &self,
        claimed: ClaimedRun,
        recorded: RecordedSteps,
        control: Arc<RunControl>,
        origin: Option<Arc<OriginRecord>>,
    ) -> BoxFuture<'static, RunEnd> {
        let definition = self.definitions.of(&*self.parts.catalog, &claimed);
        let parts = RunJournalParts {
            committer: self.parts.committer.clone(),
            clock: self.parts.engine.clock.clone(),
            recorded,
            last_seq: claimed.last_seq,
        };
        let journal = RunJournal::new(&claimed.run, parts);
        let runner = RunRunner::new(self.parts.engine.clone(), claimed.task, claimed.run, control, journal);
        runner.with_origin(origin).run(definition).boxed()
    }

    /// Gives away what the heartbeat finds left behind.
    async fn give_away_orphans(self: Arc<Self>) {
        loop {
            self.orphans.notified().await;
            let held = self.active.take_held();
            self.give_away(&held).await;
        }
    }

    /// Hands on runs that this worker holds and does not work on.
    async fn give_away(&self, held: &HashSet<RunId>) {
        let mut orphans = self.active.take_orphans(held);
        if orphans.is_empty() {
            return;
        }
        let own = match self.parts.queue.lost(&[self.parts.id]).await {
            Ok(own) => own,
            Err(error) => {
                tracing::warn!(error = %error, "abandoned runs could not be given away");
                orphans.into_iter().for_each(|(id, orphaned)| self.active.put_back(id, orphaned));
                return;
            }
        };
        for lost in own.into_iter().filter(|lost| lost.run.lease.is_some_and(|lease| lease.worker == self.parts.id)) {
            let id = lost.run.id;
            let Some(orphaned) = orphans.remove(&id) else { continue };
            match self.release(lost, orphaned).await {
                Ok(()) => self.parts.signal.notify(),
                Err(error) if error.is_retryable() => self.active.put_back(id, orphaned),
                // Somebody else has it.
                Err(_) => {}
            }
        }
    }

    async fn release(&self, lost: LostRun, orphaned: Orphaned) -> Result<(), StoreError> {
        let now = self.parts.engine.clock.now();
        match release(&*self.parts.queries, lost, orphaned == Orphaned::Defect, now).await? {
            Some(unit) => self.parts.committer.commit(unit).await,
            None => Ok(()),
        }
    }

    async fn hear_orders(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(CONTROL_POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.unheard.notified() => {}
            }
            if self.active.len() == 0 {
                continue;
            }
            match self.parts.queue.controls(self.parts.id).await {
                Ok(items) => {
                    for item in items {
                        if let Some(control) = self.active.control(item.run_id) {
                            control.obey(&item);
                        }
                    }
                }
                Err(error) => tracing::warn!(error = %error, "orders could not be read"),
            }
        }
    }

    /// No new runs; running steps may finish for a while; then they are dropped. All runs are handed back.
    async fn stop(&self) {
        self.drain.soon.cancel();
        self.tracker.close();
        let active = self.active.len();
        if active > 0 {
            tracing::info!(runs = active, "draining");
        }
        if tokio::time::timeout(self.parts.settings.drain_timeout, self.tracker.wait()).await.is_ok() {
            return;
        }
        self.drain.now.cancel();
        if tokio::time::timeout(HAND_BACK_TIME, self.tracker.wait()).await.is_err() {
            let left = self.active.abort_all_but(&self.active.ids(), &HashSet::new());
            tracing::warn!(runs = left, "runs could not be handed back in time; other workers find them");
        }
    }
}

/// What an unwritten end means. A lost lease is no orphan: the run is somebody else's.
fn abandoned(error: &StoreError) -> Option<Orphaned> {
    tracing::warn!(error = %error, "run abandoned");
    match error {
        StoreError::Fenced | StoreError::Conflict => None,
        StoreError::Unavailable(_) => Some(Orphaned::Unwritten),
        StoreError::Duplicate(_) | StoreError::Corrupt(_) => Some(Orphaned::Defect),
    }
}
