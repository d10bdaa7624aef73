//! Endpoints, what they are to be told, and what came of it.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use crewd_domain::shared::{RunId, TaskId, TenantId, WebhookId};
use crewd_domain::webhooks::{DeliveryStatus, WebhookEndpoint, WebhookEvent};
use uuid::Uuid;

use super::store::StoreError;

/// Something to be told, written in the transaction of the change it tells of.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxMessage {
    /// The `webhook-id`: the same for every endpoint's retries, derived from task and number.
    pub id: Uuid,
    /// Whose.
    pub tenant_id: TenantId,
    /// The task.
    pub task_id: TaskId,
    /// The run.
    pub run_id: RunId,
    /// What.
    pub event: WebhookEvent,
    /// The event's number in the log of the task.
    pub seq: u64,
    /// The event's data as JSON text.
    pub data: String,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// A message on its way to one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its id.
    pub id: Uuid,
    /// The message.
    pub message: OutboxMessage,
    /// Where to.
    pub webhook_id: WebhookId,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; `None` once it is at its end.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// The status of the last answer.
    pub response_status: Option<u16>,
    /// Why the last attempt failed, in words without the receiver's content.
    pub error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// When it was tried last.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When it was taken.
    pub delivered_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A delivery that this process is to send now.
#[derive(Clone, Debug, PartialEq)]
pub struct DueDelivery {
    /// The delivery; `attempts` already counts this attempt.
    pub delivery: Delivery,
    /// Where to.
    pub endpoint: WebhookEndpoint,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptOutcome {
    /// The delivery.
    pub delivery_id: Uuid,
    /// Where it stands now.
    pub status: DeliveryStatus,
    /// Pause until the next attempt, from the database's present; `None` at its end.
    pub retry_after: Option<Duration>,
    /// The status of the answer.
    pub response_status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The endpoint is to be disabled, and why.
    pub disable_endpoint: Option<String>,
}

/// Keeps endpoints and deliveries. All instants of deliveries are the database's.
#[async_trait]
pub trait WebhookStore: Send + Sync {
    /// Adds an endpoint.
    async fn insert(&self, endpoint: WebhookEndpoint) -> Result<(), StoreError>;

    /// Replaces an endpoint, by compare-and-swap: `endpoint.version` is one more than the row's, else
    /// [`StoreError::Conflict`].
    async fn update(&self, endpoint: WebhookEndpoint) -> Result<(), StoreError>;

    /// Removes an endpoint; its deliveries stay in the log, those that wait fail. Whether it was there.
    async fn delete(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError>;

    /// An endpoint by its id.
    async fn endpoint(&self, tenant: &TenantId, id: WebhookId) -> Result<Option<WebhookEndpoint>, StoreError>;

    /// Endpoints of a tenant, newest first (by id), those of single tasks left out.
    async fn endpoints(
        &self,
        tenant: &TenantId,
        before: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<WebhookEndpoint>, StoreError>;

    /// Turns messages of the outbox into deliveries, one for each endpoint that wants them; how many messages were
    /// handled. Safe to be called by several processes at once: each message is turned once.
    async fn expand(&self, limit: u32) -> Result<u32, StoreError>;

    /// Takes deliveries that are due. Each is given to one caller, which has `lease` to report; after that it is due
    /// again. No endpoint gets more at once than its `max_concurrent`.
    async fn claim(&self, limit: u32, lease: Duration) -> Result<Vec<DueDelivery>, StoreError>;

    /// Writes what came of an attempt; also keeps `failing_since` of the endpoint.
    async fn report(&self, outcome: AttemptOutcome) -> Result<(), StoreError>;

    /// Deliveries of an endpoint, newest first (by id), at most `limit`.
    async fn deliveries(
        &self,
        tenant: &TenantId,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Makes a delivery due at once, with all its attempts before it again; `None` if there is none.
    async fn redeliver(&self, tenant: &TenantId, webhook: WebhookId, delivery: Uuid) -> Result<Option<Delivery>, StoreError>;
}
