//! Endpoints as their owners see them.

use std::sync::Arc;

use chrono::TimeDelta;
use crewd_domain::shared::{TaskId, TenantId, WebhookId};
use crewd_domain::webhooks::WebhookEndpoint;

use super::dispatcher::WebhookDispatcher;
use super::rules::{ChangeWebhook, DEFAULT_CONCURRENT, DEFAULT_TIMEOUT, MAX_WEBHOOKS, NewWebhook, TaskWebhook, check, in_order};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{
    Change, Clock, IdGenerator, IdempotencyRecord, KeyPurpose, Outbound, RunQueries, SealError, SecretSealer, StoreError,
    UnitOfWork, WebhookSigner, WebhookStore,
};
use crate::runs::{Committer, IdempotencyKey};

/// The route that scopes idempotency keys.
const ROUTE: &str = "POST /api/v1/webhooks";
/// For how long the secret before a rotation signs along.
const ROTATION_HOURS: i64 = 24;
/// How often a change tries again when the endpoint changes under its hands.
const ATTEMPTS: usize = 8;

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

    /// Adds an endpoint for all tasks of the tenant.
    ///
    /// # Errors
    /// `validation_failed`; `quota_exceeded` beyond [`MAX_WEBHOOKS`]; `idempotency_key_reused`.
    pub async fn create(
        &self,
        context: &RequestContext,
        wanted: NewWebhook,
        key: Option<IdempotencyKey>,
    ) -> Result<WebhookWithSecret> {
        if let Some(key) = &key
            && let Some(replay) = self.replay(context, key).await?
        {
            return Ok(replay);
        }
        let texts = (Some(wanted.url.as_str()), wanted.description.as_deref());
        refuse(check("", texts, (wanted.timeout_seconds, wanted.max_concurrent), &*self.parts.outbound))?;
        let known = self.parts.store.endpoints(&context.tenant, None, MAX_WEBHOOKS).await?;
        if known.len() >= MAX_WEBHOOKS as usize {
            let message = format!("there are {MAX_WEBHOOKS} webhooks already; delete one first");
            return Err(Error::new(ErrorCode::QuotaExceeded, message).because("too_many_webhooks"));
        }
        let secret = self.parts.signer.new_secret();
        let endpoint = self.endpoint_of(&context.tenant, None, wanted, &secret)?;
        let mut unit = UnitOfWork::new(context.tenant.clone());
        if let Some(key) = &key {
            unit.push(Change::InsertIdempotencyKey(Box::new(remembered(key, &endpoint))));
        }
        unit.push(Change::InsertWebhook(Box::new(endpoint.clone())));
        match (self.parts.committer.commit(unit).await, &key) {
            (Ok(()), _) => Ok(WebhookWithSecret { endpoint, secret, replayed: false }),
            // The same key came at the same moment: the other request has won and its answer is ours.
            (Err(StoreError::Duplicate(_)), Some(key)) => {
                self.replay(context, key).await?.ok_or_else(|| Error::new(ErrorCode::Conflict, "try again"))
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// An endpoint for one task, for the unit of work that submits the task: [`Change::InsertWebhook`]. The secret is
    /// for the answer to the submission.
    ///
    /// # Errors
    /// `validation_failed` with places below `/webhook`.
    pub fn prepare_for_task(&self, context: &RequestContext, task: TaskId, wanted: TaskWebhook) -> Result<(Change, String)> {
        let mut problems = check("/webhook", (Some(wanted.url.as_str()), None), (None, None), &*self.parts.outbound);
        if wanted
            .secret
            .as_ref()
            .is_some_and(|secret| self.parts.signer.sign(std::slice::from_ref(secret), "id", 0, b"").is_err())
        {
            problems.push(FieldProblem::new("/webhook/secret", "must be `whsec_` and the Base64 of 24 to 64 bytes"));
        }
        refuse(problems)?;
        let secret = wanted.secret.unwrap_or_else(|| self.parts.signer.new_secret());
        let wanted = NewWebhook { url: wanted.url, events: wanted.events, ..NewWebhook::default() };
        let endpoint = self.endpoint_of(&context.tenant, Some(task), wanted, &secret)?;
        Ok((Change::InsertWebhook(Box::new(endpoint)), secret))
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
        for _ in 0..ATTEMPTS {
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

    async fn replay(&self, context: &RequestContext, key: &IdempotencyKey) -> Result<Option<WebhookWithSecret>> {
        let now = self.parts.clock.now();
        let Some(record) = self.parts.queries.idempotency(&context.tenant, ROUTE, &key.key, now).await? else {
            return Ok(None);
        };
        if record.fingerprint != key.fingerprint {
            return Err(Error::new(ErrorCode::IdempotencyKeyReused, "this idempotency key was used with another body"));
        }
        let endpoint = self.get(context, WebhookId::new(record.task_id.as_uuid())).await?;
        let secret =
            self.parts.sealer.open(KeyPurpose::WebhookSecrets, &context.tenant, &endpoint.secret).map_err(sealed_badly)?;
        Ok(Some(WebhookWithSecret { endpoint, secret, replayed: true }))
    }

    fn endpoint_of(
        &self,
        tenant: &TenantId,
        task_id: Option<TaskId>,
        wanted: NewWebhook,
        secret: &str,
    ) -> Result<WebhookEndpoint> {
        Ok(WebhookEndpoint {
            id: WebhookId::new(self.parts.ids.next_id()),
            tenant_id: tenant.clone(),
            task_id,
            url: wanted.url,
            description: wanted.description,
            events: in_order(&wanted.events),
            payload: wanted.payload,
            secret: self.seal(tenant, secret)?,
            previous_secret: None,
            timeout_seconds: wanted.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT),
            max_concurrent: wanted.max_concurrent.unwrap_or(DEFAULT_CONCURRENT),
            disabled: None,
            failing_since: None,
            created_at: self.parts.clock.now(),
            version: 1,
        })
    }

    fn seal(&self, tenant: &TenantId, secret: &str) -> Result<String> {
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

/// The memory of a request that makes something: what was made stands where tasks have their id.
fn remembered(key: &IdempotencyKey, endpoint: &WebhookEndpoint) -> IdempotencyRecord {
    IdempotencyRecord {
        tenant_id: endpoint.tenant_id.clone(),
        route: ROUTE.to_owned(),
        key: key.key.clone(),
        fingerprint: key.fingerprint.clone(),
        task_id: TaskId::new(endpoint.id.as_uuid()),
        created_at: endpoint.created_at,
    }
}

fn refuse(problems: Vec<FieldProblem>) -> Result<()> {
    if problems.is_empty() { Ok(()) } else { Err(Error::validation(problems)) }
}

fn sealed_badly(error: SealError) -> Error {
    Error::new(ErrorCode::Internal, "an unexpected error; it is in the log under the request id").caused_by(error)
}
