//! Everything between storage and surface, wired once for all commands.

use std::sync::Arc;

use crewd_application::approvals::{ApprovalService, ApprovalServiceParts};
use crewd_application::crews::{CrewService, CrewServiceParts};
use crewd_application::ports::{Clock, IdGenerator, LanguageModel, RunOrders, ToolSet, WorkSignal};
use crewd_application::runs::{Committer, RecoveryParts, RecoveryService, TaskService, TaskServiceParts, WakeParts, WakeService};
use crewd_application::schedules::{ScheduleService, ScheduleServiceParts, SchedulerService};
use crewd_application::webhooks::{WebhookDispatcher, WebhookService};
#[cfg(debug_assertions)]
use crewd_infrastructure::clock::WrongClock;
use crewd_infrastructure::clock::{NodeClock, SystemClock};
use crewd_infrastructure::files::JailedRunFiles;
use crewd_infrastructure::ids::UuidIds;
use crewd_infrastructure::queue::{ForeignEvents, LocalEventStream};
use crewd_infrastructure::redis::RedisLink;
use crewd_orchestration::definition::{CatalogWatcher, FileCrewCatalog};
use crewd_orchestration::worker::Worker;
use crewd_settings::Settings;
use crewd_telemetry::Metrics;

use super::hints::{Exchange, Signals};
use super::orders::WorkerOrders;
use super::storage::Storage;
use super::webhooks::WebhookParts;
use crate::background::agree;

/// The wired parts of a process.
pub(crate) struct Services {
    pub(crate) storage: Storage,
    pub(crate) tasks: Arc<TaskService>,
    pub(crate) approvals: Arc<ApprovalService>,
    pub(crate) schedules: Arc<ScheduleService>,
    pub(crate) scheduler: Arc<SchedulerService>,
    pub(crate) crews: Arc<CrewService>,
    pub(crate) recovery: Arc<RecoveryService>,
    pub(crate) foreign: Arc<ForeignEvents>,
    pub(crate) tools: Arc<dyn ToolSet>,
    pub(crate) model: Arc<dyn LanguageModel>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    /// The same clock, to be kept at the database's time.
    pub(crate) node_clock: NodeClock,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) webhooks: Arc<WebhookService>,
    pub(crate) dispatcher: Arc<WebhookDispatcher>,
    /// Redis, where one is configured.
    pub(crate) redis: Option<RedisLink>,
    /// The exchange of hints with other processes, where there is a way for them.
    pub(crate) exchange: Option<Exchange>,
    signal: Arc<dyn WorkSignal>,
    worker: Arc<WorkerOrders>,
    committer: Committer,
    catalog: Arc<FileCrewCatalog>,
    /// Keeps the catalogue up to date as long as it lives.
    _watcher: Option<CatalogWatcher>,
    files: Arc<JailedRunFiles>,
}

/// Wires everything but the worker and the surface.
pub(crate) async fn services(settings: &Settings) -> anyhow::Result<Services> {
    let storage = super::storage(settings).await?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"))?);
    let node_clock = NodeClock::new(own_clock());
    agree(&node_clock, &storage.database).await;
    let clock: Arc<dyn Clock> = Arc::new(node_clock.clone());
    let ids: Arc<dyn IdGenerator> = Arc::new(UuidIds);
    let sealer = super::sealer(settings)?;
    let files = Arc::new(JailedRunFiles::new(&settings.files.file_root));
    let tools = super::tools(settings, &files)?;
    let redis = super::redis(settings, &metrics, &*ids)?;
    let model = super::model(settings, metrics.clone(), redis.as_ref())?;
    let (catalog, watcher) = super::crew_catalog(&settings.server.config_dir, &*tools);
    let stream = LocalEventStream::default();
    let foreign = Arc::new(ForeignEvents::new(stream.clone(), Arc::new(storage.database.queries())));
    let worker = Arc::new(WorkerOrders::default());
    let way = super::way(redis.as_ref(), &storage.database, &metrics, &*ids);
    let Signals { signal, stream, orders, exchange } =
        super::signals(way, redis.as_ref(), &metrics, &storage.queue, stream, worker.clone());
    let committer = Committer::new(storage.store.clone(), stream.clone());
    let crews = Arc::new(CrewService::new(CrewServiceParts {
        catalog: catalog.clone(),
        queries: storage.queries.clone(),
        store: storage.store.clone(),
        clock: clock.clone(),
    }));
    for tenant in super::tenants(settings)? {
        crews.refresh(&tenant).await?;
    }
    let tasks = Arc::new(TaskService::new(TaskServiceParts {
        committer: committer.clone(),
        queries: storage.queries.clone(),
        stream,
        crews: crews.clone(),
        signal: signal.clone(),
        orders: orders.clone(),
        admission: super::admission(settings, &storage, clock.clone()),
        clock: clock.clone(),
        ids: ids.clone(),
    }));
    let schedules = schedule_parts(&storage, &committer, &tasks, &clock, &ids);
    let parts = WebhookParts {
        committer: committer.clone(),
        outbound: super::outbound(settings),
        sealer,
        metrics: metrics.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
    };
    let (webhooks, dispatcher) = super::webhooks(&storage, parts);
    let shared = Shared { storage: &storage, committer: &committer, signal: &signal, orders: &orders, clock: &clock, ids: &ids };
    let approvals = shared.approvals(&*tools)?;
    let recovery = shared.recovery();
    Ok(Services {
        storage,
        tasks,
        schedules: Arc::new(ScheduleService::new(schedules.clone())),
        scheduler: Arc::new(SchedulerService::new(schedules)),
        approvals,
        crews,
        recovery,
        foreign,
        tools,
        model,
        metrics,
        clock,
        node_clock,
        ids,
        webhooks,
        dispatcher,
        redis,
        exchange,
        signal,
        worker,
        committer,
        catalog,
        _watcher: watcher,
        files,
    })
}

/// The clock of this machine; in a debug build under test, a wrong one.
fn own_clock() -> Arc<dyn Clock> {
    #[cfg(debug_assertions)]
    if let Some(seconds) = crewd_settings::clock_error() {
        return Arc::new(WrongClock { seconds });
    }
    Arc::new(SystemClock)
}

/// What several services work with.
struct Shared<'parts> {
    storage: &'parts Storage,
    committer: &'parts Committer,
    signal: &'parts Arc<dyn WorkSignal>,
    orders: &'parts Arc<dyn RunOrders>,
    clock: &'parts Arc<dyn Clock>,
    ids: &'parts Arc<dyn IdGenerator>,
}

impl Shared<'_> {
    fn approvals(&self, tools: &dyn ToolSet) -> anyhow::Result<Arc<ApprovalService>> {
        Ok(Arc::new(ApprovalService::new(ApprovalServiceParts {
            committer: self.committer.clone(),
            approvals: Arc::new(self.storage.database.queries()),
            queries: self.storage.queries.clone(),
            check: Arc::new(super::tool_schemas(tools)?),
            signal: self.signal.clone(),
            orders: self.orders.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        })))
    }

    fn recovery(&self) -> Arc<RecoveryService> {
        Arc::new(RecoveryService::new(RecoveryParts {
            queue: self.storage.queue.clone(),
            queries: self.storage.queries.clone(),
            presence: self.storage.presence.clone(),
            committer: self.committer.clone(),
            signal: self.signal.clone(),
            clock: self.clock.clone(),
        }))
    }
}

/// What both services of schedules work with.
fn schedule_parts(
    storage: &Storage,
    committer: &Committer,
    tasks: &Arc<TaskService>,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn IdGenerator>,
) -> ScheduleServiceParts {
    ScheduleServiceParts {
        store: Arc::new(storage.database.schedules()),
        committer: committer.clone(),
        queries: storage.queries.clone(),
        tasks: tasks.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
    }
}

impl Services {
    /// Looks after runs that no worker holds.
    pub(crate) fn waker(&self) -> Arc<WakeService> {
        Arc::new(WakeService::new(WakeParts {
            queue: self.storage.queue.clone(),
            queries: self.storage.queries.clone(),
            approvals: Arc::new(self.storage.database.queries()),
            committer: self.committer.clone(),
            signal: self.signal.clone(),
        }))
    }

    /// A worker over these services.
    pub(crate) fn worker(&self, settings: &Settings) -> anyhow::Result<Arc<Worker>> {
        let engine = super::engine(
            settings,
            self.model.clone(),
            self.tools.clone(),
            self.files.clone(),
            self.clock.clone(),
            self.ids.clone(),
            self.metrics.clone(),
        )?;
        let worker = super::worker(
            settings,
            &self.storage,
            self.committer.clone(),
            self.catalog.clone(),
            self.signal.clone(),
            engine,
            &*self.ids,
        )?;
        self.worker.connect(worker.clone());
        Ok(worker)
    }
}
