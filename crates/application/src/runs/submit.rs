//! Accepting a task.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use crewd_domain::runs::{Budget, EventDraft, EventKind, Priority, Run, RunStatus, StepPath, Task, TaskOptions};
use crewd_domain::shared::{RunId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::business_key::{DedupRule, Hold};
use super::double_texting::Turn;
use super::service::TaskService;
use super::task_rules::{check, may_merge};
use crate::attempts::Attempts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{CatalogEntry, Change, IdempotencyRecord, SCHEDULE_FIRE, StoreError, TaskProgress, TaskView, UnitOfWork};

/// The route that scopes idempotency keys of submissions.
const ROUTE: &str = "POST /api/v1/tasks";
/// Bytes of all inputs, as JSON.
pub(super) const MAX_INPUT_BYTES: usize = 256 * 1024;

/// A task as the client wants it; types have been checked, values have not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubmitTask {
    /// The crew.
    pub crew: String,
    /// A pinned version; the current one if absent.
    pub version: Option<String>,
    /// Values of the crew's placeholders.
    pub inputs: Map<String, Value>,
    /// Who comes first.
    pub priority: Priority,
    /// Seconds for the whole run.
    pub deadline_seconds: Option<u32>,
    /// What it may use.
    pub budget: Budget,
    /// Labels: texts, numbers and booleans.
    pub metadata: Map<String, Value>,
    /// What it asks for beyond the usual.
    pub options: TaskOptions,
    /// The step behind which it stops until somebody lets it go on.
    pub stop_after: Option<StepPath>,
    /// How `options.dedup_key` is held, if there is one.
    pub dedup: DedupRule,
}

/// A client's promise that a request with this key is the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// 1 to 255 visible ASCII characters.
    pub key: String,
    /// SHA-256 of the canonical body.
    pub fingerprint: String,
}

/// The answer to a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The task as it was accepted.
    pub view: TaskView,
    /// Whether an earlier request with the same key created it.
    pub replayed: bool,
    /// Why it is no task of its own.
    pub instead: Option<Instead>,
}

/// Why a submission was answered with an earlier task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// That task holds the business key.
    Duplicate,
    /// The inputs went to that task as a message.
    Merged,
}

impl Submitted {
    /// A task of its own.
    pub(super) const fn new(view: TaskView) -> Self {
        Self { view, replayed: false, instead: None }
    }

    /// The answer to the same request before.
    pub(super) const fn replayed(view: TaskView) -> Self {
        Self { view, replayed: true, instead: None }
    }
}

/// A task that is about to be stored.
struct Draft {
    view: TaskView,
    unit: UnitOfWork,
    /// The version that the unit pins for the first time.
    pins: Option<String>,
}

/// What came of one try.
enum Tried {
    Done(Box<Submitted>),
    /// Somebody else was faster, and it is worth looking again.
    Outrun(StoreError),
    Failed(StoreError),
}

impl TaskService {
    /// Accepts a task: once this returns, it is in the database and will reach an end.
    ///
    /// # Errors
    /// `not_found` for the crew, `validation_failed` with everything wrong at once, `idempotency_key_reused`; `conflict` with
    /// the reason `duplicate` or `concurrency_conflict`; `quota_exceeded` with the reason `queue_full`; `unavailable` with
    /// the reason `overloaded`.
    pub async fn submit(&self, context: &RequestContext, request: SubmitTask, key: Option<IdempotencyKey>) -> Result<Submitted> {
        self.submit_along(context, request, key, |_| Ok(Vec::new())).await
    }

    /// As [`TaskService::submit`]; `along` gives further changes for the unit of the new task. They are left out where no
    /// new task is made.
    ///
    /// # Errors
    /// As [`TaskService::submit`], and those of `along`.
    pub async fn submit_along(
        &self,
        context: &RequestContext,
        request: SubmitTask,
        key: Option<IdempotencyKey>,
        along: impl FnOnce(TaskId) -> Result<Vec<Change>> + Send,
    ) -> Result<Submitted> {
        let _place = self.parts.admission.enter().await?;
        if let Some(key) = &key
            && let Some(replay) = self.replay(context, key).await?
        {
            return Ok(replay);
        }
        // On the heap: a caller's future stays small.
        match Box::pin(self.accept(context, request, key.as_ref(), along)).await? {
            Ok(submitted) => Ok(submitted),
            Err(StoreError::Duplicate(_) | StoreError::Conflict | StoreError::Fenced) => {
                Err(Error::new(ErrorCode::Conflict, "others with the same keys come at the same moment; try again"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a submission would be accepted now; nothing is stored.
    ///
    /// # Errors
    /// `not_found` for the crew, `validation_failed` with everything wrong at once.
    pub async fn check(&self, context: &RequestContext, request: &SubmitTask) -> Result<()> {
        let entry = self.parts.crews.resolve(context, &request.crew, request.version.as_deref()).await?;
        check(request, &entry.definition, self.parts.clock.now(), false)
    }

    /// Accepts a task together with other changes of the same tenant: everything is stored, or nothing. The inner error says
    /// which of the changes could not be made.
    ///
    /// # Errors
    /// As [`TaskService::submit`].
    pub async fn submit_with(
        &self,
        context: &RequestContext,
        request: SubmitTask,
        accompany: impl FnOnce(TaskId) -> Vec<Change> + Send,
    ) -> Result<std::result::Result<TaskView, StoreError>> {
        let accepted = Box::pin(self.accept(context, request, None, |id| Ok(accompany(id)))).await?;
        Ok(accepted.map(|submitted| submitted.view))
    }

    async fn accept(
        &self,
        context: &RequestContext,
        request: SubmitTask,
        key: Option<&IdempotencyKey>,
        along: impl FnOnce(TaskId) -> Result<Vec<Change>> + Send,
    ) -> Result<std::result::Result<Submitted, StoreError>> {
        let entry = self.parts.crews.resolve(context, &request.crew, request.version.as_deref()).await?;
        check(&request, &entry.definition, self.parts.clock.now(), may_merge(&request))?;
        let id = TaskId::new(self.parts.ids.next_id());
        let draft = self.draft(context, &request, &entry, key, (id, along(id)?));
        let mut last = StoreError::Conflict;
        let mut attempts = Attempts::default();
        while attempts.next().await {
            match self.attempt(context, &request, &entry, key, &draft).await? {
                Tried::Done(submitted) => return Ok(Ok(*submitted)),
                Tried::Outrun(error) => last = error,
                Tried::Failed(error) => return Ok(Err(error)),
            }
        }
        Ok(Err(last))
    }

    /// One look at the keys of a submission, and what follows from it.
    async fn attempt(
        &self,
        context: &RequestContext,
        request: &SubmitTask,
        entry: &CatalogEntry,
        key: Option<&IdempotencyKey>,
        draft: &Draft,
    ) -> Result<Tried> {
        let mut unit = draft.unit.clone();
        match self.business_key(context, request, draft.view.task.id).await? {
            Some(Hold::Held(holder)) => return self.answer_with_holder(context, *holder, key).await,
            Some(Hold::Free(record)) => unit.push(Change::InsertDedupKey(record)),
            None => {}
        }
        let mut turn = Turn::default();
        if let Some(concurrency) = &request.options.concurrency {
            if may_merge(request) {
                if let Some(target) = self.merge_target(context, concurrency).await? {
                    return self.merge(context, request, target, key).await;
                }
                check(request, &entry.definition, self.parts.clock.now(), false)?;
            }
            turn = self.take_turn(context, concurrency, &draft.view).await?;
            unit.changes.append(&mut turn.changes);
        }
        self.parts.admission.admit(&context.tenant).await?;
        let error = match self.parts.committer.commit(unit).await {
            Ok(()) => return Ok(Tried::Done(Box::new(self.accepted(context, draft, &turn)))),
            Err(error) => error,
        };
        if let Some(replay) = self.replayed_after(context, &error, key).await? {
            return Ok(Tried::Done(Box::new(replay)));
        }
        let has_keys = request.options.dedup_key.is_some() || request.options.concurrency.is_some();
        let is_outrun = match &error {
            StoreError::Duplicate(taken) => has_keys && taken != SCHEDULE_FIRE,
            StoreError::Conflict => turn.changes_runs,
            _ => false,
        };
        Ok(if is_outrun { Tried::Outrun(error) } else { Tried::Failed(error) })
    }

    fn accepted(&self, context: &RequestContext, draft: &Draft, turn: &Turn) -> Submitted {
        if let Some(version) = &draft.pins {
            self.remember_pinned(&context.tenant, version);
        }
        for order in &turn.orders {
            self.parts.orders.give(order);
        }
        self.parts.signal.notify();
        Submitted::new(draft.view.clone())
    }

    /// The task that holds the business key, remembered as the answer to this request.
    async fn answer_with_holder(&self, context: &RequestContext, view: TaskView, key: Option<&IdempotencyKey>) -> Result<Tried> {
        if let Some(key) = key {
            let mut unit = UnitOfWork::new(context.tenant.clone());
            unit.push(remember(context, key, view.task.id, self.parts.clock.now()));
            if let Err(error) = self.parts.committer.commit(unit).await {
                let replay = self.replayed_after(context, &error, Some(key)).await?;
                return Ok(replay.map_or(Tried::Failed(error), |replay| Tried::Done(Box::new(replay))));
            }
        }
        Ok(Tried::Done(Box::new(Submitted { instead: Some(Instead::Duplicate), ..Submitted::new(view) })))
    }

    /// Sends the inputs to a task that goes on.
    async fn merge(
        &self,
        context: &RequestContext,
        request: &SubmitTask,
        target: TaskView,
        key: Option<&IdempotencyKey>,
    ) -> Result<Tried> {
        let (mut unit, order) = self.merging(context, &request.inputs, &target);
        if let Some(key) = key {
            unit.push(remember(context, key, target.task.id, self.parts.clock.now()));
        }
        let error = match self.parts.committer.commit(unit).await {
            Ok(()) => {
                self.parts.orders.give(&order);
                return Ok(Tried::Done(Box::new(Submitted { instead: Some(Instead::Merged), ..Submitted::new(target) })));
            }
            Err(error) => error,
        };
        if let Some(replay) = self.replayed_after(context, &error, key).await? {
            return Ok(Tried::Done(Box::new(replay)));
        }
        // The task has ended or has changed hands: look again.
        let is_outrun = matches!(error, StoreError::Conflict | StoreError::Fenced);
        Ok(if is_outrun { Tried::Outrun(error) } else { Tried::Failed(error) })
    }

    /// The answer of a request with the same key that came at the same moment and won.
    async fn replayed_after(
        &self,
        context: &RequestContext,
        error: &StoreError,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<Submitted>> {
        match (error, key) {
            (StoreError::Duplicate(_), Some(key)) => self.replay(context, key).await,
            _ => Ok(None),
        }
    }

    async fn replay(&self, context: &RequestContext, key: &IdempotencyKey) -> Result<Option<Submitted>> {
        let now = self.parts.clock.now();
        let Some(record) = self.parts.queries.idempotency(&context.tenant, ROUTE, &key.key, now).await? else {
            return Ok(None);
        };
        if record.fingerprint != key.fingerprint {
            return Err(Error::new(ErrorCode::IdempotencyKeyReused, "this idempotency key was used with another body"));
        }
        let mut view = self.get(context, record.task_id).await?;
        if view.run.attempt > 1
            && let Some(first) = self.parts.queries.runs_of(&context.tenant, record.task_id).await?.first()
        {
            // It was tried again since; the first answer named its first run.
            view.task.current_run = first.id;
        }
        // An older task answered the first time, too; it is shown as it is.
        let is_own = view.task.created_at == record.created_at;
        Ok(Some(Submitted::replayed(if is_own { as_submitted(&view) } else { view })))
    }

    /// The rows of a new task.
    fn draft(
        &self,
        context: &RequestContext,
        request: &SubmitTask,
        entry: &CatalogEntry,
        key: Option<&IdempotencyKey>,
        (id, along): (TaskId, Vec<Change>),
    ) -> Draft {
        let now = self.parts.clock.now();
        let webhook = along.iter().find_map(|change| match change {
            Change::InsertWebhook(endpoint) => Some(endpoint.id),
            _ => None,
        });
        let task = Task {
            id,
            tenant_id: context.tenant.clone(),
            crew: entry.definition.name.clone(),
            definition_version: entry.version.to_string(),
            priority: request.priority,
            inputs: request.inputs.clone(),
            metadata: request.metadata.clone(),
            deadline_seconds: request.deadline_seconds,
            budget: request.budget,
            options: TaskOptions { webhook, ..request.options.clone() },
            traceparent: context.traceparent.clone(),
            request_id: context.request_id.clone(),
            current_run: RunId::new(self.parts.ids.next_id()),
            created_at: now,
        };
        let run = Run { stop_after: request.stop_after.clone(), ..first_run(&task) };
        let mut data = json!({"crew": task.crew, "definition_version": task.definition_version, "priority": task.priority, "attempt": run.attempt});
        if run.status == RunStatus::Scheduled
            && let (Some(data), Some(not_before)) = (data.as_object_mut(), run.wake_at)
        {
            data.insert("not_before".to_owned(), json!(not_before.to_rfc3339_opts(SecondsFormat::Millis, true)));
        }
        let event = EventDraft::of_run(EventKind::TaskQueued, data).number(1, task.id, run.id, now);
        let mut unit = UnitOfWork::new(context.tenant.clone());
        unit.changes = along;
        let pins = (!self.is_pinned(&context.tenant, &entry.version)).then(|| entry.version.to_string());
        if pins.is_some() {
            unit.push(Change::SaveCrew(Box::new(self.parts.crews.stored(&context.tenant, entry))));
        }
        if let Some(key) = key {
            unit.push(remember(context, key, task.id, now));
        }
        unit.push(Change::InsertTask(Box::new(task.clone())));
        unit.push(Change::InsertRun(Box::new(run.clone())));
        unit.push(Change::AppendEvent(Arc::new(event)));
        Draft { view: TaskView { task, run, progress: TaskProgress::default() }, unit, pins }
    }
}

/// The memory of the first answer.
fn remember(context: &RequestContext, key: &IdempotencyKey, task_id: TaskId, created_at: DateTime<Utc>) -> Change {
    Change::InsertIdempotencyKey(Box::new(IdempotencyRecord {
        tenant_id: context.tenant.clone(),
        route: ROUTE.to_owned(),
        key: key.key.clone(),
        fingerprint: key.fingerprint.clone(),
        task_id,
        created_at,
    }))
}

/// The first run of a task as it stands when the task is accepted.
fn first_run(task: &Task) -> Run {
    let (id, now) = (task.current_run, task.created_at);
    let mut run = match task.options.not_before {
        Some(not_before) if not_before > now => Run::scheduled(id, task.id, task.tenant_id.clone(), not_before, now),
        _ => Run::queued(id, task.id, task.tenant_id.clone(), now),
    };
    if run.status == RunStatus::Queued {
        run.wake_at = task.options.queue_timeout_seconds.map(|seconds| now + TimeDelta::seconds(seconds.into()));
    }
    run.concurrency_key = task.options.concurrency.as_ref().map(|concurrency| concurrency.key.clone());
    run
}

/// The first answer again: the task as it was when it was accepted.
fn as_submitted(view: &TaskView) -> TaskView {
    TaskView { task: view.task.clone(), run: first_run(&view.task), progress: TaskProgress::default() }
}

/// A key as a part of a JSON pointer (RFC 6901).
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
