//! A whole engine over the fakes of all ports, for the tests of this crate.

use std::sync::Arc;
use std::time::Duration;

use crewd_application::context::RequestContext;
use crewd_application::crews::{CrewService, CrewServiceParts};
use crewd_application::ports::{
    ApprovalFilter, ApprovalQueries, ApprovalUpdate, Change, Clock, EventQuery, FinishReason, IdGenerator, LanguageModel,
    LeaseRenewal, ModelRequest, ModelResponse, RunQueries, RunQueue, RunUpdate, Store, TaskView, Tool, UnitOfWork,
};
use crewd_application::runs::{
    Admission, AdmissionLimits, Committer, RecoveryParts, RecoveryService, SubmitTask, TaskService, TaskServiceParts,
};
use crewd_application::testing::catalog::InMemoryCatalog;
use crewd_application::testing::clock::FixedClock;
use crewd_application::testing::event_stream::InMemoryEventStream;
use crewd_application::testing::files::InMemoryRunFiles;
use crewd_application::testing::ids::SequenceIds;
use crewd_application::testing::llm::ScriptedModel;
use crewd_application::testing::memory::InMemoryStore;
use crewd_application::testing::orders::NoWorker;
use crewd_application::testing::presence::FakePresence;
use crewd_application::testing::signal::CountingSignal;
use crewd_application::testing::tool::{FakeTool, FakeToolSet};
use crewd_domain::approvals::{Approval, ApprovalStatus, Decision, DecisionRequest};
use crewd_domain::crews::{AgentDefinition, CrewDefinition, CrewTaskDefinition};
use crewd_domain::runs::{Event, EventKind, Run, RunStatus, Step};
use crewd_domain::shared::{TaskId, TenantId, Usage, WorkerId};
use crewd_telemetry::metrics::Metrics;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::run::{ApprovalRules, EngineParts, RunLimits};
use crate::tools::ToolSchemas;
use crate::worker::{Worker, WorkerParts, WorkerSettings};

/// Longer than any test's own time; with paused time it costs nothing.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// An installation in memory. Its parts may be changed before the first worker starts.
pub(crate) struct Lab {
    pub(crate) store: Arc<InMemoryStore>,
    /// Where the engine writes; the store itself unless a test puts something before it.
    pub(crate) written_to: Arc<dyn Store>,
    /// Where workers take their runs from; the store as well.
    pub(crate) queue: Arc<dyn RunQueue>,
    pub(crate) leases: Arc<dyn LeaseRenewal>,
    pub(crate) stream: Arc<InMemoryEventStream>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) ids: Arc<SequenceIds>,
    pub(crate) files: Arc<InMemoryRunFiles>,
    pub(crate) catalog: Arc<InMemoryCatalog>,
    pub(crate) signal: Arc<CountingSignal>,
    pub(crate) presence: Arc<FakePresence>,
    pub(crate) model: Arc<dyn LanguageModel>,
    pub(crate) tools: FakeToolSet,
    pub(crate) approvals: ApprovalRules,
    pub(crate) limits: RunLimits,
    pub(crate) settings: WorkerSettings,
}

impl Lab {
    pub(crate) fn new(model: &ScriptedModel) -> Self {
        let clock = Arc::new(FixedClock::default());
        let store = Arc::new(InMemoryStore::new(clock.clone()));
        let limits = RunLimits {
            run_time: Duration::from_secs(3600),
            max_iterations: 25,
            max_tokens: 1_000_000,
            model_time: Duration::from_secs(60),
            tool_time: Duration::from_secs(30),
        };
        let settings = WorkerSettings {
            slots: 8,
            heartbeat_thread: false,
            lease: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(30),
        };
        Self {
            written_to: store.clone(),
            queue: store.clone(),
            leases: store.clone(),
            store,
            stream: Arc::default(),
            clock,
            ids: Arc::default(),
            files: Arc::default(),
            catalog: Arc::default(),
            signal: Arc::default(),
            presence: Arc::default(),
            model: Arc::new(model.clone()),
            tools: FakeToolSet::new(),
            approvals: ApprovalRules::default(),
            limits,
            settings,
        }
    }

    pub(crate) fn with_tool(mut self, tool: &Arc<FakeTool>) -> Self {
        self.tools = self.tools.with(tool.clone() as Arc<dyn Tool>);
        self
    }

    pub(crate) fn writing_to(mut self, store: Arc<dyn Store>) -> Self {
        self.written_to = store;
        self
    }

    pub(crate) fn tasks(&self) -> TaskService {
        let crews = CrewService::new(CrewServiceParts {
            catalog: self.catalog.clone(),
            queries: self.store.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
        });
        TaskService::new(TaskServiceParts {
            committer: Committer::new(self.store.clone(), self.stream.clone()),
            queries: self.store.clone(),
            stream: self.stream.clone(),
            crews: Arc::new(crews),
            signal: self.signal.clone(),
            orders: Arc::new(NoWorker),
            admission: Arc::new(Admission::new(self.store.clone(), self.clock.clone(), AdmissionLimits::default())),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
        })
    }

    pub(crate) fn recovery(&self) -> RecoveryService {
        RecoveryService::new(RecoveryParts {
            queue: self.store.clone(),
            queries: self.store.clone(),
            presence: self.presence.clone(),
            committer: Committer::new(self.store.clone(), self.stream.clone()),
            signal: self.signal.clone(),
            clock: self.clock.clone(),
        })
    }

    /// Puts the crew into the catalogue and submits a task for it.
    pub(crate) async fn submit(&self, crew: CrewDefinition) -> TaskId {
        let crew = self.catalog.put(crew).definition.name.clone();
        self.submit_task(SubmitTask { crew, ..SubmitTask::default() }).await
    }

    pub(crate) async fn submit_task(&self, task: SubmitTask) -> TaskId {
        Box::pin(self.tasks().submit(&caller(), task, None)).await.unwrap().view.task.id
    }

    /// A worker that has not begun.
    pub(crate) fn worker(&self) -> (WorkerId, Arc<Worker>) {
        let engine = EngineParts {
            model: self.model.clone(),
            schemas: ToolSchemas::compile(&self.tools).unwrap(),
            tools: Arc::new(self.tools.clone()),
            files: self.files.clone(),
            clock: self.clock.clone(),
            metrics: Arc::new(Metrics::new("test").unwrap()),
            ids: self.ids.clone(),
            approvals: self.approvals,
            limits: self.limits.clone(),
        };
        let id = WorkerId::new(self.ids.next_id());
        let worker = Worker::new(WorkerParts {
            id,
            queue: self.queue.clone(),
            leases: self.leases.clone(),
            queries: self.store.clone(),
            committer: Committer::new(self.written_to.clone(), self.stream.clone()),
            catalog: self.catalog.clone(),
            signal: self.signal.clone(),
            engine: Arc::new(engine),
            settings: self.settings.clone(),
        });
        (id, worker)
    }

    /// A worker at work.
    pub(crate) fn start(&self) -> Running {
        let (id, worker) = self.worker();
        let shutdown = CancellationToken::new();
        let work = tokio::spawn(worker.clone().run(shutdown.clone()));
        Running { id, worker, shutdown, work }
    }

    /// The task once it has ended.
    pub(crate) async fn end_of(&self, id: TaskId) -> TaskView {
        let view = self.tasks().wait(&caller(), id, PATIENCE).await.unwrap();
        assert!(view.run.status.is_terminal(), "the task does not end: {view:?}");
        view
    }

    /// The task once it waits without a worker.
    pub(crate) async fn parked(&self, id: TaskId) -> TaskView {
        for _ in 0..100_000 {
            let view = self.tasks().get(&caller(), id).await.unwrap();
            if view.run.status == RunStatus::Waiting {
                return view;
            }
            assert!(!view.run.status.is_terminal(), "the task has ended: {view:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the task does not wait");
    }

    /// Changes a run that no worker holds, as a use case does.
    pub(crate) async fn change_run(&self, id: TaskId, change: impl FnOnce(&mut Run)) {
        let mut run = self.tasks().get(&caller(), id).await.unwrap().run;
        let expected_version = run.version;
        change(&mut run);
        if run.version == expected_version {
            run.touch();
        }
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        self.store.commit(unit).await.unwrap();
    }

    /// The questions of a task that wait for an answer.
    pub(crate) async fn questions(&self, id: TaskId) -> Vec<Approval> {
        let filter = ApprovalFilter { status: Some(ApprovalStatus::Pending), task_id: Some(id), ..ApprovalFilter::default() };
        self.store.approvals(&TenantId::default_tenant(), &filter, None, 100).await.unwrap()
    }

    /// Answers a question of a waiting run, as the surface does.
    pub(crate) async fn decide(&self, question: &Approval, decision: Decision, change: impl FnOnce(&mut DecisionRequest)) {
        let mut request = DecisionRequest { decision, arguments: None, response: None, comment: None, by: "ada".to_owned() };
        change(&mut request);
        let now = self.clock.now();
        let mut approval = question.clone();
        let said = approval.decide(request, now).unwrap().unwrap();
        let view = self.tasks().get(&caller(), question.task_id).await.unwrap();
        let (mut run, expected_version) = (view.run.clone(), view.run.version);
        run.wake(now).unwrap();
        let seq = self.log(question.task_id).await.len() as u64 + 1;
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        unit.push(Change::UpdateApproval(Box::new(ApprovalUpdate { expected_version: question.version, approval })));
        unit.push(Change::AppendEvent(Arc::new(said.number(seq, run.task_id, run.id, now))));
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        self.store.commit(unit).await.unwrap();
    }

    /// Submits a task and lets a worker bring it to its end.
    pub(crate) async fn complete(&self, crew: CrewDefinition) -> TaskView {
        let id = self.submit(crew).await;
        let running = self.start();
        let view = self.end_of(id).await;
        running.stop().await;
        view
    }

    pub(crate) async fn log(&self, id: TaskId) -> Vec<Event> {
        let query = EventQuery { task_id: id, after: 0, kinds: Vec::new(), limit: 100_000 };
        let log = self.store.events(&TenantId::default_tenant(), &query).await.unwrap();
        let numbers: Vec<u64> = log.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=log.len() as u64).collect::<Vec<_>>(), "the log has no gap");
        log
    }

    /// The log as lines of type and step; deltas are left out.
    pub(crate) async fn story(&self, id: TaskId) -> Vec<String> {
        let log = self.log(id).await;
        log.iter().filter(|event| event.kind != EventKind::LlmDelta).map(line).collect()
    }

    pub(crate) async fn steps(&self, view: &TaskView) -> Vec<Step> {
        self.store.steps(&TenantId::default_tenant(), view.run.id).await.unwrap()
    }
}

/// A worker at work.
pub(crate) struct Running {
    pub(crate) id: WorkerId,
    pub(crate) worker: Arc<Worker>,
    pub(crate) shutdown: CancellationToken,
    work: JoinHandle<()>,
}

impl Running {
    /// Lets it drain.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.work.await.unwrap();
        assert_eq!(self.worker.active_runs(), 0);
    }
}

pub(crate) fn caller() -> RequestContext {
    RequestContext { tenant: TenantId::default_tenant(), actor: "ada".into(), request_id: "request-1".into(), traceparent: None }
}

pub(crate) fn line(event: &Event) -> String {
    event.step.as_ref().map_or_else(|| event.kind.to_string(), |step| format!("{} {step}", event.kind))
}

pub(crate) fn data(event: &Event) -> serde_json::Value {
    serde_json::from_str(event.data.get()).unwrap()
}

/// The text of the last message of a request.
pub(crate) fn last(request: &ModelRequest) -> &str {
    request.messages.last().map_or("", |message| message.content.as_str())
}

/// An answer in text without usage, to be changed where it matters.
pub(crate) fn response(text: &str) -> ModelResponse {
    ModelResponse {
        id: String::new(),
        model: "test".into(),
        text: text.into(),
        reasoning: String::new(),
        tool_calls: Vec::new(),
        finish_reason: FinishReason::Stop,
        usage: Usage::default(),
        usage_estimated: false,
        simulated: false,
        cached: false,
    }
}

pub(crate) fn agent(name: &str) -> AgentDefinition {
    AgentDefinition::new(name, format!("The {name}"), "To be tested", "Born in a test")
}

pub(crate) fn task(name: &str, agent: &str) -> CrewTaskDefinition {
    CrewTaskDefinition::new(name, format!("Do {name}"), format!("The result of {name}"), agent)
}

/// A crew of these agents and tasks.
pub(crate) fn crew(
    agents: impl IntoIterator<Item = AgentDefinition>,
    tasks: impl IntoIterator<Item = CrewTaskDefinition>,
) -> CrewDefinition {
    CrewDefinition { agents: agents.into_iter().collect(), tasks: tasks.into_iter().collect(), ..CrewDefinition::new("crew") }
}

/// One agent, one task, no tools.
pub(crate) fn small_crew() -> CrewDefinition {
    crew([agent("poet")], [task("rhyme", "poet")])
}

/// One agent with these tools, one task.
pub(crate) fn crew_with_tools(tools: &[&str]) -> CrewDefinition {
    let tools = tools.iter().map(|tool| (*tool).to_owned()).collect();
    crew([AgentDefinition { tools, ..agent("poet") }], [task("rhyme", "poet")])
}

/// The crew of the measurements: two agents with a tool each, two tasks.
pub(crate) fn reference_crew() -> CrewDefinition {
    let with_tool = |name: &str, tool: &str| AgentDefinition { tools: vec![tool.to_owned()], ..agent(name) };
    crew([with_tool("finder", "search"), with_tool("writer", "check")], [task("find", "finder"), task("write", "writer")])
}
