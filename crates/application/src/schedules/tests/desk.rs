//! Schedules over one store in memory.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crewd_domain::crews::{AgentDefinition, CrewDefinition, CrewTaskDefinition};
use crewd_domain::runs::RunStatus;
use crewd_domain::schedules::{CronExpression, FireOutcome, OverlapPolicy, Schedule, ScheduleFire};
use crewd_domain::shared::{ScheduleId, TenantId, WorkerId};
use serde_json::json;

use super::super::{ScheduleFields, ScheduleService, ScheduleServiceParts, SchedulerService, Ticked, TimingFields};
use crate::context::RequestContext;
use crate::crews::{CrewService, CrewServiceParts};
use crate::ports::{Change, Clock, IdGenerator, RunQueries, RunQueue, RunUpdate, TaskFilter, TaskView, UnitOfWork};
use crate::runs::{Admission, AdmissionLimits, Committer, SubmitTask, TaskService, TaskServiceParts};
use crate::testing::catalog::InMemoryCatalog;
use crate::testing::clock::{FixedClock, ShiftedClock};
use crate::testing::event_stream::InMemoryEventStream;
use crate::testing::ids::SequenceIds;
use crate::testing::memory::InMemoryStore;
use crate::testing::orders::NoWorker;
use crate::testing::signal::CountingSignal;

pub(super) struct Desk {
    pub(super) store: Arc<InMemoryStore>,
    pub(super) clock: Arc<FixedClock>,
    pub(super) catalog: Arc<InMemoryCatalog>,
    pub(super) schedules: ScheduleService,
    /// Two nodes on one store.
    pub(super) nodes: [SchedulerService; 2],
    committer: Committer,
    ids: Arc<SequenceIds>,
}

impl Desk {
    /// It is 00:00:30 on the first day of 2026.
    pub(super) fn new() -> Self {
        Self::with_nodes_ahead([TimeDelta::zero(); 2])
    }

    /// The clocks of both nodes are so far ahead of the database's.
    pub(super) fn with_nodes_ahead(ahead: [TimeDelta; 2]) -> Self {
        let clock = Arc::new(FixedClock::default());
        clock.advance(Duration::from_secs(30));
        let store = Arc::new(InMemoryStore::new(clock.clone()));
        let (stream, ids) = (Arc::new(InMemoryEventStream::default()), Arc::new(SequenceIds::default()));
        let catalog = Arc::new(InMemoryCatalog::default());
        catalog.put(poets());
        let committer = Committer::new(store.clone(), stream.clone());
        let crews = CrewService::new(CrewServiceParts {
            catalog: catalog.clone(),
            queries: store.clone(),
            store: store.clone(),
            clock: clock.clone(),
        });
        let tasks = Arc::new(TaskService::new(TaskServiceParts {
            committer: committer.clone(),
            queries: store.clone(),
            stream,
            crews: Arc::new(crews),
            signal: Arc::new(CountingSignal::default()),
            orders: Arc::new(NoWorker),
            admission: Arc::new(Admission::new(store.clone(), clock.clone(), AdmissionLimits::default())),
            clock: clock.clone(),
            ids: ids.clone(),
        }));
        let parts = ScheduleServiceParts {
            store: store.clone(),
            committer: committer.clone(),
            queries: store.clone(),
            tasks,
            clock: clock.clone(),
            ids: ids.clone(),
        };
        let nodes = ahead.map(|ahead| {
            let clock = Arc::new(ShiftedClock::new(parts.clock.clone(), ahead));
            SchedulerService::new(ScheduleServiceParts { clock, ..parts.clone() })
        });
        Self { store, clock, catalog, schedules: ScheduleService::new(parts), nodes, committer, ids }
    }

    /// A schedule of every minute.
    pub(super) async fn minutely(&self, overlap: OverlapPolicy) -> Schedule {
        Box::pin(self.schedules.create(&ada(), ScheduleFields { overlap: Some(overlap), ..every_minute() })).await.unwrap()
    }

    /// Time goes on, and both nodes look.
    pub(super) async fn pass(&self, seconds: u64) -> Ticked {
        self.clock.advance(Duration::from_secs(seconds));
        self.tick().await
    }

    /// Both nodes look at once.
    pub(super) async fn tick(&self) -> Ticked {
        let [first, second] = &self.nodes;
        let (first, second) = Box::pin(futures::future::join(first.tick(), second.tick())).await;
        let (mut first, second) = (first.unwrap(), second.unwrap());
        first.submitted += second.submitted;
        first.left_out += second.left_out;
        first.failures.extend(second.failures);
        first
    }

    pub(super) async fn tasks(&self) -> Vec<TaskView> {
        let mut tasks = self.store.tasks(&TenantId::default_tenant(), &TaskFilter::default(), None, 1000).await.unwrap().items;
        tasks.reverse();
        tasks
    }

    pub(super) async fn states(&self) -> Vec<RunStatus> {
        self.tasks().await.iter().map(|view| view.run.status).collect()
    }

    /// The oldest task that can be worked on is done.
    pub(super) async fn work(&self) -> bool {
        let worker = WorkerId::new(self.ids.next_id());
        let Some(mut claimed) = self.store.claim(worker, 1, Duration::from_secs(15)).await.unwrap().pop() else { return false };
        let expected_version = claimed.run.version;
        let outcome = crewd_domain::runs::RunOutcome::Succeeded { output: json!({"raw": "done"}) };
        let draft = claimed.run.finish(outcome, Default::default(), 1, self.clock.now()).unwrap();
        let mut unit = UnitOfWork::new(claimed.run.tenant_id.clone());
        let event = draft.number(claimed.last_seq + 1, claimed.task.id, claimed.run.id, self.clock.now());
        unit.push(Change::AppendEvent(Arc::new(event)));
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run: claimed.run, expected_version })));
        self.committer.commit(unit).await.unwrap();
        true
    }

    pub(super) async fn fires(&self, id: ScheduleId) -> Vec<ScheduleFire> {
        let (mut fires, next) = self.schedules.fires(&ada(), id, None, 200).await.unwrap();
        assert_eq!(next, None);
        fires.reverse();
        fires
    }

    /// Minute and outcome of each fire, oldest first.
    pub(super) async fn outcomes(&self, id: ScheduleId) -> Vec<(i64, FireOutcome)> {
        let minute = |time: DateTime<Utc>| (time - start()).num_minutes();
        self.fires(id).await.iter().map(|fire| (minute(fire.fire_time), fire.outcome)).collect()
    }
}

pub(super) fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(super) fn minutes(count: i64) -> DateTime<Utc> {
    start() + TimeDelta::minutes(count)
}

pub(super) fn cron(expression: &str) -> TimingFields {
    TimingFields::Cron(CronExpression::parse(expression).unwrap())
}

pub(super) fn every_minute() -> ScheduleFields {
    ScheduleFields {
        name: Some("poem of the minute".to_owned()),
        timing: Some(cron("* * * * *")),
        task: Some(poem("tea")),
        ..ScheduleFields::default()
    }
}

pub(super) fn ada() -> RequestContext {
    RequestContext { tenant: TenantId::default_tenant(), actor: "ada".into(), request_id: "request-1".into(), traceparent: None }
}

pub(super) fn stranger() -> RequestContext {
    RequestContext { tenant: TenantId::try_from("other".to_owned()).unwrap(), ..ada() }
}

pub(super) fn poets() -> CrewDefinition {
    let mut crew = CrewDefinition::new("poets");
    crew.agents = vec![AgentDefinition::new("poet", "Poet", "Rhyme on {topic}", "Old")];
    crew.tasks = vec![CrewTaskDefinition::new("rhyme", "A haiku on {topic}", "Lines", "poet")];
    crew
}

pub(super) fn poem(topic: &str) -> SubmitTask {
    let inputs = json!({"topic": topic}).as_object().cloned().unwrap();
    SubmitTask { crew: "poets".into(), inputs, ..SubmitTask::default() }
}
