//! New endpoints.

use crewd_domain::shared::{TaskId, TenantId, WebhookId};
use crewd_domain::webhooks::WebhookEndpoint;

use super::rules::{DEFAULT_CONCURRENT, DEFAULT_TIMEOUT, MAX_WEBHOOKS, NewWebhook, TaskWebhook, check, in_order};
use super::service::{WebhookService, WebhookWithSecret, refuse, sealed_badly};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{Change, IdempotencyRecord, KeyPurpose, StoreError, UnitOfWork};
use crate::runs::IdempotencyKey;

/// The route that scopes idempotency keys.
const ROUTE: &str = "POST /api/v1/webhooks";

impl WebhookService {
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
