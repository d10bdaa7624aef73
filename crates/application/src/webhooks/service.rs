//! Endpoints as their owners see them.

use std::sync::Arc;

use chrono::TimeDelta;
use crewd_domain::shared::{TenantId, WebhookId};
use crewd_domain::webhooks::WebhookEndpoint;

use super::dispatcher::WebhookDispatcher;
use super::rules::{ChangeWebhook, check, in_order};
use crate::attempts::Attempts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{
    Clock, IdGenerator, KeyPurpose, Outbound, RunQueries, SealError, SecretSealer, StoreError, WebhookSigner, WebhookStore,
};
use crate::runs::Committer;

/// For how long the secret before a rotation signs along.
const ROTATION_HOURS: i64 = 24;
/// What the service works with.
pub struct WebhookServiceParts {
    /// Endpoints and deliveries.
    pub store: Arc<dyn WebhookStore>,
    /// Units of work.
    pub committer: Committer,
    /// Remembered requests.
    pub queries: Arc<dyn RunQueries>,
    /// Judges addresses.
    pub outbound: Arc<dyn Outbound>,
    /// Makes secrets.
    pub signer: Arc<dyn WebhookSigner>,
    /// Keeps secrets.
    pub sealer: Arc<dyn SecretSealer>,
    /// Is told when there is something to send at once.
    pub dispatcher: Arc<WebhookDispatcher>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// An endpoint with its secret, which is shown this once.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookWithSecret {
    /// The endpoint.
    pub endpoint: WebhookEndpoint,
    /// Its secret, `whsec_…`.
    pub secret: String,
    /// Whether an earlier request with the same key made it.
    pub replayed: bool,
}

/// A page of endpoints, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookPage {
    /// The endpoints.
    pub items: Vec<WebhookEndpoint>,
    /// Where the next page starts, if there is one.
    pub next_before: Option<WebhookId>,
}

/// Keeps the endpoints of tenants.
pub struct WebhookService {
    pub(super) parts: WebhookServiceParts,
}

impl WebhookService {
    /// A service over its parts.
    #[must_use]
    pub const fn new(parts: WebhookServiceParts) -> Self {
        Self { parts }
    }

    /// An endpoint.
    ///
    /// # Errors
    /// `not_found`, for a foreign id as well.
    pub async fn get(&self, context: &RequestContext, id: WebhookId) -> Result<WebhookEndpoint> {
        self.parts.store.endpoint(&context.tenant, id).await?.ok_or_else(|| Error::not_found("webhook"))
    }

    /// Endpoints, newest first; those of single tasks are left out.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn list(&self, context: &RequestContext, before: Option<WebhookId>, limit: u32) -> Result<WebhookPage> {
        let mut items = self.parts.store.endpoints(&context.tenant, before, limit.saturating_add(1)).await?;
        let has_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next_before = items.last().filter(|_| has_more).map(|last| last.id);
        Ok(WebhookPage { items, next_before })
    }

    /// Changes an endpoint. One that is disabled is told nothing, and what waits for it fails.
    ///
    /// # Errors
    /// `not_found`, `validation_failed`, `conflict`.
    pub async fn change(&self, context: &RequestContext, id: WebhookId, wanted: &ChangeWebhook) -> Result<WebhookEndpoint> {
        let texts = (wanted.url.as_deref(), wanted.description.as_ref().and_then(Option::as_deref));
        let problems = check("", texts, (wanted.timeout_seconds, wanted.max_concurrent), &*self.parts.outbound);
        let now = self.parts.clock.now();
        self.update(context, id, |endpoint| {
            refuse(problems.clone())?;
            apply(endpoint, wanted);
            match wanted.disabled {
                Some(true) if endpoint.disabled.is_none() => {
                    endpoint.disabled = Some((now, format!("disabled by {}", context.actor)));
                }
                Some(false) => {
                    endpoint.disabled = None;
                    endpoint.failing_since = None;
                }
                _ => {}
            }
            Ok(())
        })
        .await
    }

    /// Removes an endpoint; what waits for it is never sent.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn delete(&self, context: &RequestContext, id: WebhookId) -> Result<()> {
        let was_there = self.parts.store.delete(&context.tenant, id).await?;
        if was_there { Ok(()) } else { Err(Error::not_found("webhook")) }
    }

    /// Gives an endpoint a new secret. The old one signs along for a day, so that no delivery is refused meanwhile.
    ///
    /// # Errors
    /// `not_found`, `conflict`.
    pub async fn rotate(&self, context: &RequestContext, id: WebhookId) -> Result<WebhookWithSecret> {
        let secret = self.parts.signer.new_secret();
        let sealed = self.seal(&context.tenant, &secret)?;
        let until = self.parts.clock.now() + TimeDelta::hours(ROTATION_HOURS);
        let rotate = |endpoint: &mut WebhookEndpoint| {
            let old = std::mem::replace(&mut endpoint.secret, sealed.clone());
            endpoint.previous_secret = Some((old, until));
            Ok(())
        };
        let endpoint = self.update(context, id, rotate).await?;
        Ok(WebhookWithSecret { endpoint, secret, replayed: false })
    }

    async fn update(
        &self,
        context: &RequestContext,
        id: WebhookId,
        change: impl Fn(&mut WebhookEndpoint) -> Result<()>,
    ) -> Result<WebhookEndpoint> {
        let mut attempts = Attempts::default();
        while attempts.next().await {
            let mut endpoint = self.get(context, id).await?;
            change(&mut endpoint)?;
            endpoint.version = endpoint.version.saturating_add(1);
            match self.parts.store.update(endpoint.clone()).await {
                Ok(()) => return Ok(endpoint),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(ErrorCode::Conflict, "the webhook changes too fast; try again"))
    }

    pub(super) fn seal(&self, tenant: &TenantId, secret: &str) -> Result<String> {
        self.parts.sealer.seal(KeyPurpose::WebhookSecrets, tenant, secret).map_err(sealed_badly)
    }
}

fn apply(endpoint: &mut WebhookEndpoint, wanted: &ChangeWebhook) {
    if let Some(url) = &wanted.url {
        endpoint.url.clone_from(url);
    }
    if let Some(description) = &wanted.description {
        endpoint.description.clone_from(description);
    }
    if let Some(events) = &wanted.events {
        endpoint.events = in_order(events);
    }
    endpoint.payload = wanted.payload.unwrap_or(endpoint.payload);
    endpoint.timeout_seconds = wanted.timeout_seconds.unwrap_or(endpoint.timeout_seconds);
    endpoint.max_concurrent = wanted.max_concurrent.unwrap_or(endpoint.max_concurrent);
}

pub(super) fn refuse(problems: Vec<FieldProblem>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(Error::validation(problems)) }
}

pub(super) fn sealed_badly(error: SealError) -> Error {
    Error::new(ErrorCode::Internal, "an unexpected error; it is in the log under the request id").caused_by(error)
}
