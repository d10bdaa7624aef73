//! The port; each part of it has its own module.

use std::time::Duration;

use async_trait::async_trait;
use crewd_application::ports::{AttemptOutcome, Delivery, DueDelivery, StoreError, WebhookStore};
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::{DeliveryStatus, WebhookEndpoint};
use sea_orm::{DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use crate::persistence::dialect::{now_micros, statement};
use crate::persistence::error::unavailable;
use crate::persistence::session::Readers;
use crate::persistence::writer::{Script, WriterHandle};

/// Endpoints and deliveries in the database. Everything that is waiting for goes by the database's clock.
#[derive(Clone, Debug)]
pub struct SeaWebhooks {
    writer: WriterHandle,
    readers: Readers,
}

impl SeaWebhooks {
    pub(in crate::persistence) const fn new(writer: WriterHandle, readers: Readers) -> Self {
        Self { writer, readers }
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.readers.backend()
    }

    pub(super) fn now(&self) -> &'static str {
        now_micros(self.backend())
    }

    pub(super) fn statement(&self, sql: impl Into<String>, values: Vec<Value>) -> Statement {
        statement(self.backend(), sql, values)
    }

    pub(super) async fn all(&self, sql: impl Into<String> + Send, values: Vec<Value>) -> Result<Vec<QueryResult>, StoreError> {
        self.readers.query_all_raw(self.statement(sql, values)).await.map_err(unavailable)
    }

    /// Does a script; how many rows each of its statements changed.
    pub(super) async fn execute(&self, script: Script) -> Result<Vec<u64>, StoreError> {
        self.writer.execute(script).await
    }
}

#[async_trait]
impl WebhookStore for SeaWebhooks {
    async fn insert(&self, endpoint: WebhookEndpoint) -> Result<(), StoreError> {
        self.insert_endpoint(&endpoint).await
    }

    async fn update(&self, endpoint: WebhookEndpoint) -> Result<(), StoreError> {
        self.update_endpoint(&endpoint).await
    }

    async fn delete(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError> {
        self.delete_endpoint(tenant, id).await
    }

    async fn endpoint(&self, tenant: &TenantId, id: WebhookId) -> Result<Option<WebhookEndpoint>, StoreError> {
        self.read_endpoint(tenant, id).await
    }

    async fn endpoints(
        &self,
        tenant: &TenantId,
        before: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<WebhookEndpoint>, StoreError> {
        self.read_endpoints(tenant, before, limit).await
    }

    async fn expand(&self, limit: u32) -> Result<u32, StoreError> {
        self.expand_messages(limit).await
    }

    async fn claim(&self, limit: u32, lease: Duration) -> Result<Vec<DueDelivery>, StoreError> {
        self.claim_deliveries(limit, lease).await
    }

    async fn report(&self, outcome: AttemptOutcome) -> Result<(), StoreError> {
        self.report_attempt(&outcome).await
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        webhook: WebhookId,
        status: Option<DeliveryStatus>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read_deliveries(tenant, webhook, status, before, limit).await
    }

    async fn redeliver(&self, tenant: &TenantId, webhook: WebhookId, delivery: Uuid) -> Result<Option<Delivery>, StoreError> {
        self.deliver_again(tenant, webhook, delivery).await
    }
}
