//! Creating requests that may come twice.

use crewd_domain::shared::TaskId;

use super::service::TaskService;
use super::submit::{IdempotencyKey, Submitted};
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Change, IdempotencyRecord, StoreError, UnitOfWork};

/// A creating request: the route scopes its key.
pub(super) struct Once {
    pub(super) route: String,
    pub(super) key: Option<IdempotencyKey>,
}

impl TaskService {
    /// The answer to the same request, if it came before.
    ///
    /// # Errors
    /// `idempotency_key_reused`.
    pub(super) async fn answered_before(&self, context: &RequestContext, once: &Once) -> Result<Option<Submitted>> {
        let Some(key) = &once.key else { return Ok(None) };
        let now = self.parts.clock.now();
        let Some(record) = self.parts.queries.idempotency(&context.tenant, &once.route, &key.key, now).await? else {
            return Ok(None);
        };
        if record.fingerprint != key.fingerprint {
            return Err(Error::new(ErrorCode::IdempotencyKeyReused, "this idempotency key was used with another body"));
        }
        Ok(Some(Submitted::replayed(self.get(context, record.task_id).await?)))
    }

    /// Commits a unit that gives a task a run, and wakes a worker.
    ///
    /// # Errors
    /// `invalid_state` with the reason `changed_meanwhile` if somebody else was faster; where too much waits already, those
    /// of a submission.
    pub(super) async fn commit_once(
        &self,
        context: &RequestContext,
        once: &Once,
        mut unit: UnitOfWork,
        created: TaskId,
    ) -> Result<Submitted> {
        if let Some(key) = &once.key {
            unit.push(Change::InsertIdempotencyKey(Box::new(IdempotencyRecord {
                tenant_id: context.tenant.clone(),
                route: once.route.clone(),
                key: key.key.clone(),
                fingerprint: key.fingerprint.clone(),
                task_id: created,
                created_at: self.parts.clock.now(),
            })));
        }
        let _place = self.parts.admission.enter().await?;
        self.parts.admission.admit(&context.tenant).await?;
        match self.parts.committer.commit(unit).await {
            Ok(()) => {
                self.parts.signal.notify();
                Ok(Submitted::new(self.get(context, created).await?))
            }
            Err(error @ (StoreError::Conflict | StoreError::Duplicate(_))) => {
                let raced = || {
                    Error::new(
                        ErrorCode::InvalidState,
                        "the task was changed by another request at the same moment; read it again",
                    )
                    .because("changed_meanwhile")
                    .caused_by(error)
                };
                self.answered_before(context, once).await?.ok_or_else(raced)
            }
            Err(error) => Err(error.into()),
        }
    }
}
