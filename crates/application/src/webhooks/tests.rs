use std::sync::{Arc, Mutex};
use std::time::Duration;

use crewd_domain::runs::{EventDraft, EventKind, Priority};
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::{DeliveryStatus, Payload, WebhookEvent};
use serde_json::{Value, json};

use super::*;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode};
use crate::ports::{Change, Clock, Delivery, OutboundError, OutboundRequest, Store, StoreError, UnitOfWork, WebhookStore};
use crate::runs::{Committer, IdempotencyKey};
use crate::testing::clock::FixedClock;
use crate::testing::egress::ScriptedOutbound;
use crate::testing::event_stream::InMemoryEventStream;
use crate::testing::ids::SequenceIds;
use crate::testing::memory::InMemoryStore;
use crate::testing::signing::{ReadableSealer, ReadableSigner};
use crate::testing::store::{Sample, Submitted};

const URL: &str = "https://hooks.example/a";

#[derive(Default)]
struct Counted(Mutex<Vec<&'static str>>);

impl DeliveryObserver for Counted {
    fn attempted(&self, result: AttemptResult) {
        self.0.lock().unwrap().push(result.as_str());
    }

    fn unreported(&self, _: &StoreError) {
        self.0.lock().unwrap().push("unreported");
    }
}

struct Desk {
    store: Arc<InMemoryStore>,
    clock: Arc<FixedClock>,
    outbound: Arc<ScriptedOutbound>,
    counted: Arc<Counted>,
    sample: Sample,
    dispatcher: Arc<WebhookDispatcher>,
    service: WebhookService,
}

impl Desk {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::default());
        let store = Arc::new(InMemoryStore::new(clock.clone()));
        let (outbound, counted, signer) = <(Arc<ScriptedOutbound>, Arc<Counted>, Arc<ReadableSigner>)>::default();
        let dispatcher = Arc::new(WebhookDispatcher::new(DispatcherParts {
            store: store.clone(),
            queries: store.clone(),
            outbound: outbound.clone(),
            signer: signer.clone(),
            sealer: Arc::new(ReadableSealer),
            observer: counted.clone(),
            clock: clock.clone(),
        }));
        let service = WebhookService::new(WebhookServiceParts {
            store: store.clone(),
            committer: Committer::new(store.clone(), Arc::new(InMemoryEventStream::default())),
            queries: store.clone(),
            outbound: outbound.clone(),
            signer,
            sealer: Arc::new(ReadableSealer),
            dispatcher: dispatcher.clone(),
            clock: clock.clone(),
            ids: Arc::new(SequenceIds::default()),
        });
        Self { store, clock, outbound, counted, sample: Sample::default(), dispatcher, service }
    }

    async fn hook(&self) -> WebhookId {
        self.service.create(&ada(), hook(), None).await.unwrap().endpoint.id
    }

    /// A task that has come to its end.
    async fn done(&self) -> Submitted {
        let submitted = self.sample.queued(Priority::Standard, 0);
        self.store.commit(submitted.unit()).await.unwrap();
        self.say(&submitted, EventKind::TaskSucceeded, 2).await;
        submitted
    }

    async fn say(&self, submitted: &Submitted, kind: EventKind, seq: u64) {
        let event = EventDraft::of_run(kind, json!({"output": {"raw": "text"}}));
        let mut unit = UnitOfWork::new(ada().tenant);
        let event = event.number(seq, submitted.task.id, submitted.run.id, self.clock.now());
        unit.push(Change::AppendEvent(Arc::new(event)));
        self.store.commit(unit).await.unwrap();
    }

    async fn tick(&self) -> usize {
        let begun = self.dispatcher.tick().await.unwrap();
        self.dispatcher.finish(Duration::from_secs(60)).await;
        begun
    }

    async fn deliveries(&self, id: WebhookId) -> Vec<Delivery> {
        self.service.deliveries(&ada(), id, None, None, 100).await.unwrap().items
    }

    fn requests(&self) -> Vec<OutboundRequest> {
        self.outbound.requests()
    }

    fn counted(&self) -> Vec<&'static str> {
        self.counted.0.lock().unwrap().clone()
    }
}

fn ada() -> RequestContext {
    RequestContext { tenant: TenantId::default_tenant(), actor: "ada".into(), request_id: "request-1".into(), traceparent: None }
}

/// An endpoint that wants ends alone.
fn hook() -> NewWebhook {
    let events = vec![WebhookEvent::TaskSucceeded, WebhookEvent::TaskFailed];
    NewWebhook { url: URL.into(), events, ..NewWebhook::default() }
}

fn header<'r>(request: &'r OutboundRequest, name: &str) -> &'r str {
    request.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
}

fn pointers(error: &Error) -> Vec<&str> {
    assert_eq!(error.code, ErrorCode::ValidationFailed, "{error}");
    error.fields.iter().map(|field| field.pointer.as_str()).collect()
}

mod endpoints;
mod sending;
