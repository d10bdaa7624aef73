//! The database under test, and rows for it.

use std::sync::Arc;
use std::time::Duration;

use crewd_domain::runs::{EventDraft, EventKind, Priority};
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::{DeliveryStatus, Payload, WebhookEndpoint, WebhookEvent};
use serde_json::Value;
use uuid::Uuid;

use crate::ports::{AttemptOutcome, Change, Delivery, DueDelivery, Store, StoreError, UnitOfWork, WebhookStore};
use crate::testing::store::{Sample, Submitted, at, must, settle};

/// Long enough that no lease of a check ends by itself.
pub(super) const LEASE: Duration = Duration::from_secs(3_600);

/// One database, seen through its ports.
#[derive(Clone)]
pub struct WebhookHarness {
    /// Writes what endpoints are told of.
    pub store: Arc<dyn Store>,
    /// Keeps endpoints and deliveries.
    pub webhooks: Arc<dyn WebhookStore>,
    /// How far two statements may disagree about the present: nothing on most databases.
    pub clock_step: Duration,
}

impl WebhookHarness {
    /// An endpoint in the database, changed before it is stored.
    pub(super) async fn endpoint(&self, sample: &Sample, change: impl FnOnce(&mut WebhookEndpoint) + Send) -> WebhookEndpoint {
        let mut endpoint = endpoint(sample);
        change(&mut endpoint);
        must(self.webhooks.insert(endpoint.clone()).await);
        endpoint
    }

    /// A task in the database, with its first event.
    pub(super) async fn submit(&self, sample: &Sample) -> Submitted {
        let submitted = sample.queued(Priority::Standard, 0);
        must(self.store.commit(submitted.unit()).await);
        submitted
    }

    /// One more event of a task.
    pub(super) async fn tell(&self, submitted: &Submitted, kind: EventKind, seq: u64, data: Value) {
        must(self.store.commit(telling(submitted, kind, seq, data)).await);
    }

    /// A task whose first message has become deliveries.
    pub(super) async fn submit_and_expand(&self, sample: &Sample) -> Submitted {
        let submitted = self.submit(sample).await;
        assert_eq!(must(self.webhooks.expand(10).await), 1);
        submitted
    }

    pub(super) async fn claim(&self, limit: u32, lease: Duration) -> Vec<DueDelivery> {
        self.settle().await;
        must(self.webhooks.claim(limit, lease).await)
    }

    /// Waits until what was written as the present is the past.
    pub(super) async fn settle(&self) {
        settle(self.clock_step).await;
    }

    /// All deliveries of an endpoint, newest first.
    pub(super) async fn log(&self, tenant: &TenantId, webhook: WebhookId) -> Vec<Delivery> {
        must(self.webhooks.deliveries(tenant, webhook, None, None, 100).await)
    }

    /// What an endpoint was told, oldest first.
    pub(super) async fn told(&self, endpoint: &WebhookEndpoint) -> Vec<WebhookEvent> {
        let mut log = self.log(&endpoint.tenant_id, endpoint.id).await;
        log.sort_by_key(|delivery| (delivery.message.seq, delivery.message.event.as_str()));
        log.iter().map(|delivery| delivery.message.event).collect()
    }

    pub(super) async fn read(&self, endpoint: &WebhookEndpoint) -> WebhookEndpoint {
        let read = must(self.webhooks.endpoint(&endpoint.tenant_id, endpoint.id).await);
        must(read.ok_or(StoreError::Corrupt("the endpoint is not there".to_owned())))
    }
}

/// An endpoint that is told of everything.
pub(super) fn endpoint(sample: &Sample) -> WebhookEndpoint {
    WebhookEndpoint {
        id: WebhookId::new(sample.id()),
        tenant_id: sample.tenant().clone(),
        task_id: None,
        url: "https://hooks.example.com/crewd".to_owned(),
        description: None,
        events: Vec::new(),
        payload: Payload::Thin,
        secret: "sealed".to_owned(),
        previous_secret: None,
        timeout_seconds: 15,
        max_concurrent: 10,
        disabled: None,
        failing_since: None,
        created_at: at(0),
        version: 1,
    }
}

/// A unit with one event of a task.
pub(super) fn telling(submitted: &Submitted, kind: EventKind, seq: u64, data: Value) -> UnitOfWork {
    let event = EventDraft::of_run(kind, data).number(seq, submitted.task.id, submitted.run.id, at(seq.cast_signed()));
    let mut unit = UnitOfWork::new(submitted.task.tenant_id.clone());
    unit.push(Change::AppendEvent(Arc::new(event)));
    unit
}

/// What came of an attempt.
pub(super) fn outcome(delivery: Uuid, status: DeliveryStatus, retry_after: Option<Duration>) -> AttemptOutcome {
    let has_arrived = status == DeliveryStatus::Delivered;
    AttemptOutcome {
        delivery_id: delivery,
        status,
        retry_after,
        response_status: Some(if has_arrived { 204 } else { 500 }),
        error: Some("the receiver answered 500".to_owned()).filter(|_| !has_arrived),
        duration_ms: 12,
        disable_endpoint: None,
    }
}
