//! The surface and the fakes behind it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use crewd_application::approvals::{ApprovalService, ApprovalServiceParts};
use crewd_application::crews::{CrewService, CrewServiceParts};
use crewd_application::ports::{HealthCheck, StoreError};
use crewd_application::runs::{Admission, AdmissionLimits, Committer, TaskService, TaskServiceParts};
use crewd_application::schedules::{ScheduleService, ScheduleServiceParts};
use crewd_application::testing::approvals::FakeCheck;
use crewd_application::testing::catalog::InMemoryCatalog;
use crewd_application::testing::clock::FixedClock;
use crewd_application::testing::egress::ScriptedOutbound;
use crewd_application::testing::event_stream::InMemoryEventStream;
use crewd_application::testing::ids::SequenceIds;
use crewd_application::testing::llm::ScriptedModel;
use crewd_application::testing::memory::InMemoryStore;
use crewd_application::testing::orders::NoWorker;
use crewd_application::testing::security::FixedKeys;
use crewd_application::testing::signal::CountingSignal;
use crewd_application::testing::signing::{ReadableSealer, ReadableSigner};
use crewd_application::testing::tool::{FakeTool, FakeToolSet};
use crewd_application::webhooks::{
    AttemptResult, DeliveryObserver, DispatcherParts, WebhookDispatcher, WebhookService, WebhookServiceParts,
};
use crewd_domain::crews::{AgentDefinition, CrewDefinition, CrewTaskDefinition};
use crewd_domain::shared::TenantId;
use crewd_telemetry::Metrics;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Answer;
use crate::state::{ApiState, BuildInfo, Limits};

/// A key of the default tenant, where a stage has keys.
pub(crate) const KEY: &str = "first-key-0123456789abcdef0123456789";
/// A key of another tenant.
pub(crate) const OTHER_KEY: &str = "other-key-0123456789abcdef0123456789";

/// The surface over fakes. It knows the crew `tea`, whose texts ask for `topic`.
pub(crate) struct Stage {
    pub(crate) router: Router,
    pub(crate) store: Arc<InMemoryStore>,
    pub(crate) catalog: Arc<InMemoryCatalog>,
    pub(crate) committer: Committer,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) outbound: Arc<ScriptedOutbound>,
    pub(crate) dispatcher: Arc<WebhookDispatcher>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) key: Option<&'static str>,
}

impl Stage {
    /// A surface without keys.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A surface that wants a key; the stage sends [`KEY`].
    pub(crate) fn with_keys() -> Self {
        let tenant = |name: &str| TenantId::try_from(name.to_owned()).expect("a tenant");
        let keys = FixedKeys::none().with(KEY, TenantId::default_tenant(), "first").with(OTHER_KEY, tenant("other"), "other");
        Self { key: Some(KEY), ..Self::with(|state| state.authenticator = Arc::new(keys)) }
    }

    /// A surface with these checks.
    pub(crate) fn with_health(checks: Vec<Arc<dyn HealthCheck>>) -> Self {
        Self::with(|state| state.health = checks)
    }

    /// A surface whose state has been changed.
    pub(crate) fn with(change: impl FnOnce(&mut ApiState)) -> Self {
        let clock = Arc::new(FixedClock::default());
        let ids = Arc::new(SequenceIds::default());
        let store = Arc::new(InMemoryStore::new(clock.clone()));
        let stream = Arc::new(InMemoryEventStream::default());
        let catalog = Arc::new(InMemoryCatalog::default());
        catalog.put(tea());
        let committer = Committer::new(store.clone(), stream.clone());
        let parts =
            CrewServiceParts { catalog: catalog.clone(), queries: store.clone(), store: store.clone(), clock: clock.clone() };
        let crews = Arc::new(CrewService::new(parts));
        let tasks = TaskServiceParts {
            committer: committer.clone(),
            queries: store.clone(),
            stream,
            crews: crews.clone(),
            signal: Arc::new(CountingSignal::default()),
            orders: Arc::new(NoWorker),
            admission: Arc::new(Admission::new(store.clone(), clock.clone(), AdmissionLimits::default())),
            clock: clock.clone(),
            ids: ids.clone(),
        };
        let tasks = Arc::new(TaskService::new(tasks));
        let schedules = ScheduleService::new(ScheduleServiceParts {
            store: store.clone(),
            committer: committer.clone(),
            queries: store.clone(),
            tasks: tasks.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
        });
        let outbound = Arc::new(ScriptedOutbound::default());
        let (webhooks, dispatcher) = webhooks((&store, &committer), &outbound, &clock, &ids);
        let shutdown = CancellationToken::new();
        let mut state = ApiState {
            tasks,
            task_rates: None,
            schedules: Arc::new(schedules),
            approvals: approvals((&store, &committer), &clock, &ids),
            webhooks,
            crews,
            tools: Arc::new(FakeToolSet::new().with(Arc::new(FakeTool::new("look_up"))).with(Arc::new(FakeTool::new("add")))),
            model: Arc::new(ScriptedModel::new([])),
            authenticator: Arc::new(FixedKeys::none()),
            health: Vec::new(),
            metrics: Arc::new(Metrics::new("0.0.0-test").expect("metrics")),
            ids,
            clock: clock.clone(),
            build: BuildInfo { version: "0.0.0-test".to_owned(), commit: None },
            allowed_origins: Vec::new(),
            stopping: shutdown.clone(),
            shutdown: shutdown.clone(),
            limits: Limits::default(),
            before_scrape: None,
        };
        change(&mut state);
        let shutdown = state.shutdown.clone();
        Self { router: crate::router(state), store, catalog, committer, clock, outbound, dispatcher, shutdown, key: None }
    }

    /// A request that tests complete; the key is in it.
    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path);
        match self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    /// Sends a request and gives the answer as it comes.
    pub(crate) async fn open(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.expect("a router always answers")
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.open(request).await).await
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).expect("a request")).await
    }

    /// A body of any type.
    pub(crate) async fn send_text(&self, method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = self.request(method, path).header("content-type", content_type).body(body.into());
        self.send(request.expect("a request")).await
    }

    /// POST of JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send_text("POST", path, "application/json", body.to_string()).await
    }

    /// Submits a task of the crew `tea`; gives its id.
    pub(crate) async fn submit(&self) -> String {
        let answer =
            self.post("/api/v1/tasks", &serde_json::json!({"crew": "tea", "inputs": {"topic": "green"}})).await.expect(202);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }
}

/// Counts nothing.
struct Nobody;

impl DeliveryObserver for Nobody {
    fn attempted(&self, _: AttemptResult) {}

    fn unreported(&self, error: &StoreError) {
        panic!("{error}");
    }
}

/// One agent, one crew task, one placeholder.
pub(crate) fn tea() -> CrewDefinition {
    let mut crew = CrewDefinition::new("tea");
    crew.agents.push(AgentDefinition::new("writer", "Writer", "Write about {topic}", "You write."));
    crew.tasks.push(CrewTaskDefinition::new("write", "Write about {topic} tea", "A text", "writer"));
    crew
}

/// A store, and what commits to it.
type Written<'stage> = (&'stage Arc<InMemoryStore>, &'stage Committer);

fn approvals((store, committer): Written<'_>, clock: &Arc<FixedClock>, ids: &Arc<SequenceIds>) -> Arc<ApprovalService> {
    Arc::new(ApprovalService::new(ApprovalServiceParts {
        committer: committer.clone(),
        approvals: store.clone(),
        queries: store.clone(),
        check: Arc::new(FakeCheck),
        signal: Arc::new(CountingSignal::default()),
        orders: Arc::new(NoWorker),
        clock: clock.clone(),
        ids: ids.clone(),
    }))
}

fn webhooks(
    (store, committer): Written<'_>,
    outbound: &Arc<ScriptedOutbound>,
    clock: &Arc<FixedClock>,
    ids: &Arc<SequenceIds>,
) -> (Arc<WebhookService>, Arc<WebhookDispatcher>) {
    let signer = Arc::new(ReadableSigner::default());
    let dispatcher = Arc::new(WebhookDispatcher::new(DispatcherParts {
        store: store.clone(),
        queries: store.clone(),
        outbound: outbound.clone(),
        signer: signer.clone(),
        sealer: Arc::new(ReadableSealer),
        observer: Arc::new(Nobody),
        clock: clock.clone(),
    }));
    let service = WebhookService::new(WebhookServiceParts {
        store: store.clone(),
        committer: committer.clone(),
        queries: store.clone(),
        outbound: outbound.clone(),
        signer,
        sealer: Arc::new(ReadableSealer),
        dispatcher: dispatcher.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
    });
    (Arc::new(service), dispatcher)
}
