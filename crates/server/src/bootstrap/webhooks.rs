//! Telling addresses of events.

use std::sync::Arc;

use crewd_application::ports::{Clock, IdGenerator, Outbound, SecretSealer, StoreError, WebhookSigner};
use crewd_application::runs::Committer;
use crewd_application::webhooks::{
    AttemptResult, DeliveryObserver, DispatcherParts, WebhookDispatcher, WebhookService, WebhookServiceParts,
};
use crewd_infrastructure::webhooks::StandardWebhooks;
use crewd_telemetry::Metrics;

use super::storage::Storage;

/// What webhooks are made of, besides the database.
pub(crate) struct WebhookParts {
    pub(crate) committer: Committer,
    pub(crate) outbound: Arc<dyn Outbound>,
    pub(crate) sealer: Arc<dyn SecretSealer>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
}

/// The endpoints, and what sends to them.
pub(crate) fn webhooks(storage: &Storage, parts: WebhookParts) -> (Arc<WebhookService>, Arc<WebhookDispatcher>) {
    let signer: Arc<dyn WebhookSigner> = Arc::new(StandardWebhooks);
    let store = Arc::new(storage.database.webhooks());
    let dispatcher = Arc::new(WebhookDispatcher::new(DispatcherParts {
        store: store.clone(),
        queries: storage.queries.clone(),
        outbound: parts.outbound.clone(),
        signer: signer.clone(),
        sealer: parts.sealer.clone(),
        observer: Arc::new(CountedDeliveries(parts.metrics)),
        clock: parts.clock.clone(),
    }));
    let service = Arc::new(WebhookService::new(WebhookServiceParts {
        store,
        committer: parts.committer,
        queries: storage.queries.clone(),
        outbound: parts.outbound,
        signer,
        sealer: parts.sealer,
        dispatcher: dispatcher.clone(),
        clock: parts.clock,
        ids: parts.ids,
    }));
    (service, dispatcher)
}

/// Attempts as a metric.
struct CountedDeliveries(Arc<Metrics>);

impl DeliveryObserver for CountedDeliveries {
    fn attempted(&self, result: AttemptResult) {
        self.0.record_webhook_delivery(result.as_str());
    }

    fn unreported(&self, error: &StoreError) {
        self.0.record_webhook_delivery("unreported");
        tracing::warn!(error = %error, "what came of a webhook's delivery could not be written down; it is sent again");
    }
}
