//! All services over one store in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_domain::crews::{AgentDefinition, CrewDefinition, CrewTaskDefinition};
use crewd_domain::runs::{Event, EventDraft, EventKind, Failure, FailureClass, Pause, RunOutcome, RunStatus, Step, WaitReason};
use crewd_domain::shared::{RunId, TaskId, TenantId, WorkerId};
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::context::RequestContext;
use crate::crews::{CrewService, CrewServiceParts};
use crate::ports::{
    Change, ClaimedRun, Clock, ControlItem, ControlRequest, EventQuery, EventStream, IdGenerator, LeaseGuard, RunOrders,
    RunQueries, RunQueue, Store, StoreError, TaskView, UnitOfWork,
};
use crate::runs::{
    Admission, AdmissionLimits, Committer, RecoveryParts, RecoveryService, SubmitTask, TaskService, TaskServiceParts, WakeParts,
    WakeService,
};
use crate::testing::catalog::InMemoryCatalog;
use crate::testing::clock::{FixedClock, ShiftedClock};
use crate::testing::event_stream::InMemoryEventStream;
use crate::testing::ids::SequenceIds;
use crate::testing::memory::InMemoryStore;
use crate::testing::presence::FakePresence;
use crate::testing::signal::CountingSignal;

pub(super) const LEASE: Duration = Duration::from_secs(15);

/// Somebody who comes between reading and writing.
type Rival = BoxFuture<'static, ()>;

/// Lets a rival act once before the next commit.
pub(super) struct RivalStore {
    inner: Arc<InMemoryStore>,
    rivals: Mutex<Vec<Rival>>,
}

impl RivalStore {
    pub(super) fn let_act_first(&self, rival: impl Future<Output = ()> + Send + 'static) {
        self.rivals.lock().unwrap().push(Box::pin(rival));
    }
}

#[async_trait]
impl Store for RivalStore {
    async fn commit(&self, unit: UnitOfWork) -> Result<(), StoreError> {
        let rivals = std::mem::take(&mut *self.rivals.lock().unwrap());
        for rival in rivals {
            rival.await;
        }
        self.inner.commit(unit).await
    }
}

/// Keeps the orders that a worker of this process would hear.
#[derive(Default)]
pub(super) struct RecordedOrders {
    given: Mutex<Vec<(RunId, ControlRequest)>>,
}

impl RecordedOrders {
    pub(super) fn given(&self) -> Vec<(RunId, ControlRequest)> {
        self.given.lock().unwrap().clone()
    }
}

impl RunOrders for RecordedOrders {
    fn look(&self, _: crewd_domain::shared::RunId) {}

    fn give(&self, order: &ControlItem) {
        self.given.lock().unwrap().push((order.run_id, order.request.clone()));
    }
}

pub(super) struct Desk {
    pub(super) store: Arc<InMemoryStore>,
    pub(super) rival: Arc<RivalStore>,
    pub(super) stream: Arc<InMemoryEventStream>,
    pub(super) clock: Arc<FixedClock>,
    pub(super) ids: Arc<SequenceIds>,
    pub(super) catalog: Arc<InMemoryCatalog>,
    pub(super) signal: Arc<CountingSignal>,
    pub(super) orders: Arc<RecordedOrders>,
    pub(super) presence: Arc<FakePresence>,
    pub(super) tasks: Arc<TaskService>,
    pub(super) recovery: Arc<RecoveryService>,
    pub(super) waker: WakeService,
}

impl Desk {
    pub(super) fn new() -> Self {
        let stream = Arc::new(InMemoryEventStream::default());
        Self::with_stream(stream.clone(), stream)
    }

    /// One that takes in so much.
    pub(super) fn limited(limits: AdmissionLimits) -> Self {
        let stream = Arc::new(InMemoryEventStream::default());
        Self::build(stream.clone(), stream, limits)
    }

    /// Readers hear of events by `heard`, which may be worse than the stream itself.
    pub(super) fn with_stream(stream: Arc<InMemoryEventStream>, heard: Arc<dyn EventStream>) -> Self {
        Self::build(stream, heard, AdmissionLimits::default())
    }

    fn build(stream: Arc<InMemoryEventStream>, heard: Arc<dyn EventStream>, limits: AdmissionLimits) -> Self {
        let clock = Arc::new(FixedClock::default());
        let store = Arc::new(InMemoryStore::new(clock.clone()));
        let rival = Arc::new(RivalStore { inner: store.clone(), rivals: Mutex::default() });
        let (ids, catalog) = (Arc::new(SequenceIds::default()), Arc::new(InMemoryCatalog::default()));
        let (signal, orders, presence) = <(Arc<CountingSignal>, Arc<RecordedOrders>, Arc<FakePresence>)>::default();
        let committer = Committer::new(rival.clone(), stream.clone());
        let crews = Arc::new(CrewService::new(CrewServiceParts {
            catalog: catalog.clone(),
            queries: store.clone(),
            store: store.clone(),
            clock: clock.clone(),
        }));
        let tasks = Arc::new(TaskService::new(TaskServiceParts {
            committer: committer.clone(),
            queries: store.clone(),
            stream: heard,
            crews,
            signal: signal.clone(),
            orders: orders.clone(),
            admission: Arc::new(Admission::new(store.clone(), clock.clone(), limits)),
            clock: clock.clone(),
            ids: ids.clone(),
        }));
        let recovery = Arc::new(RecoveryService::new(RecoveryParts {
            queue: store.clone(),
            queries: store.clone(),
            presence: presence.clone(),
            committer: committer.clone(),
            signal: signal.clone(),
            clock: clock.clone(),
        }));
        let waker = WakeService::new(WakeParts {
            queue: store.clone(),
            queries: store.clone(),
            approvals: store.clone(),
            committer,
            signal: signal.clone(),
        });
        let desk = Self { store, rival, stream, clock, ids, catalog, signal, orders, presence, tasks, recovery, waker };
        desk.catalog.put(poets());
        desk
    }

    /// The recovery of a node whose clock is so far ahead of the database's.
    pub(super) fn recovery_of_node(&self, ahead: chrono::TimeDelta) -> RecoveryService {
        RecoveryService::new(RecoveryParts {
            queue: self.store.clone(),
            queries: self.store.clone(),
            presence: self.presence.clone(),
            committer: Committer::new(self.store.clone(), self.stream.clone()),
            signal: self.signal.clone(),
            clock: Arc::new(ShiftedClock::new(self.clock.clone(), ahead)),
        })
    }

    pub(super) async fn submit(&self) -> TaskView {
        self.tasks.submit(&ada(), poem("tea"), None).await.unwrap().view
    }

    pub(super) async fn view(&self, id: TaskId) -> TaskView {
        self.tasks.get(&ada(), id).await.unwrap()
    }

    /// A worker takes the oldest run.
    pub(super) async fn claim(&self) -> ClaimedRun {
        let worker = WorkerId::new(self.ids.next_id());
        self.store.claim(worker, 1, LEASE).await.unwrap().remove(0)
    }

    /// The holder of a run says something.
    pub(super) async fn say(&self, claimed: &mut ClaimedRun, drafts: impl IntoIterator<Item = EventDraft>) {
        let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
        unit.guard(LeaseGuard { run_id: claimed.run.id, epoch: claimed.run.epoch });
        for draft in drafts {
            claimed.last_seq += 1;
            let event = draft.number(claimed.last_seq, claimed.task.id, claimed.run.id, self.clock.now());
            unit.push(Change::AppendEvent(Arc::new(event)));
        }
        Committer::new(self.store.clone(), self.stream.clone()).commit(unit).await.unwrap();
    }

    /// The holder of a run brings it to a good end.
    pub(super) async fn succeed(&self, claimed: ClaimedRun) {
        self.finish(claimed, RunOutcome::Succeeded { output: json!({"raw": "done"}) }).await;
    }

    /// The holder of a run fails.
    pub(super) async fn fail(&self, claimed: ClaimedRun, class: FailureClass) {
        let failure = Failure::new(class, "provider_failed", "no");
        self.finish(claimed, RunOutcome::Failed { failure, output: Value::Null }).await;
    }

    /// The holder of a run brings it to an end.
    pub(super) async fn finish(&self, mut claimed: ClaimedRun, outcome: RunOutcome) {
        let expected_version = claimed.run.version;
        if matches!(outcome, RunOutcome::Cancelled { .. }) {
            claimed.run.status = RunStatus::Cancelling;
        }
        let draft = claimed.run.finish(outcome, Default::default(), 1, self.clock.now()).unwrap();
        let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
        let event = draft.number(claimed.last_seq + 1, claimed.task.id, claimed.run.id, self.clock.now());
        unit.push(Change::AppendEvent(Arc::new(event)));
        unit.push(Change::UpdateRun(Box::new(crate::ports::RunUpdate { run: claimed.run, expected_version })));
        Committer::new(self.store.clone(), self.stream.clone()).commit(unit).await.unwrap();
    }

    /// The holder of a run writes steps into its journal; numbers and ids are those of the run.
    pub(super) async fn journal(&self, claimed: &mut ClaimedRun, steps: impl IntoIterator<Item = Step>) {
        for step in steps {
            let draft = EventDraft::of_step(EventKind::Log, step.path.clone(), json!({}));
            self.say(claimed, [draft]).await;
            let (run_id, task_id, seq) = (claimed.run.id, claimed.task.id, claimed.last_seq);
            let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
            unit.push(Change::SaveStep(Box::new(Step { run_id, task_id, seq, ..step })));
            self.store.commit(unit).await.unwrap();
        }
    }

    /// The holder of a run parks it.
    pub(super) async fn park(&self, mut claimed: ClaimedRun, reason: WaitReason, until: Option<DateTime<Utc>>) {
        let expected_version = claimed.run.version;
        let draft = claimed.run.wait(Pause { reason, until, details: Value::Null }, self.clock.now()).unwrap();
        let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
        let event = draft.number(claimed.last_seq + 1, claimed.task.id, claimed.run.id, self.clock.now());
        unit.push(Change::AppendEvent(Arc::new(event)));
        unit.push(Change::UpdateRun(Box::new(crate::ports::RunUpdate { run: claimed.run, expected_version })));
        self.store.commit(unit).await.unwrap();
    }

    pub(super) async fn log(&self, id: TaskId) -> Vec<Event> {
        let query = EventQuery { task_id: id, after: 0, kinds: Vec::new(), limit: 100_000 };
        self.store.events(&TenantId::default_tenant(), &query).await.unwrap()
    }

    pub(super) async fn kinds(&self, id: TaskId) -> Vec<&'static str> {
        self.log(id).await.iter().map(|event| event.kind.as_str()).collect()
    }
}

pub(super) fn log_lines(count: usize) -> Vec<EventDraft> {
    (0..count).map(|index| EventDraft::of_run(EventKind::Log, json!({"index": index}))).collect()
}

pub(super) fn ada() -> RequestContext {
    RequestContext { tenant: TenantId::default_tenant(), actor: "ada".into(), request_id: "request-1".into(), traceparent: None }
}

pub(super) fn stranger() -> RequestContext {
    RequestContext { tenant: TenantId::try_from("other".to_owned()).unwrap(), ..ada() }
}

/// A crew that wants a topic and a style; the style has a default.
pub(super) fn poets() -> CrewDefinition {
    let mut crew = CrewDefinition::new("poets");
    crew.agents = vec![AgentDefinition::new("poet", "Poet of {land}", "Rhyme on {topic}", "Old")];
    let mut task = CrewTaskDefinition::new("rhyme", "A {style} on {topic}", "Lines", "poet");
    task.output_file = Some("{topic}.md".into());
    crew.tasks = vec![task];
    crew.inputs.insert("style".into(), json!("haiku"));
    crew
}

pub(super) fn inputs(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

pub(super) fn poem(topic: &str) -> SubmitTask {
    SubmitTask { crew: "poets".into(), inputs: inputs(json!({"topic": topic, "land": "China"})), ..SubmitTask::default() }
}
