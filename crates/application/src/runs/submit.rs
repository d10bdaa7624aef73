//! Accepting a task.

use crewd_domain::crews::CrewDefinition;
use crewd_domain::runs::{Budget, EventDraft, EventKind, Priority, Run, Task, TaskOptions};
use crewd_domain::shared::{RunId, TaskId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::service::TaskService;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, FieldProblem, Result};
use crate::ports::{CatalogEntry, Change, IdempotencyRecord, StoreError, TaskProgress, TaskView, UnitOfWork};

/// The route that scopes idempotency keys of submissions.
const ROUTE: &str = "POST /api/v1/tasks";
/// Bytes of all inputs, as JSON.
pub(super) const MAX_INPUT_BYTES: usize = 256 * 1024;
/// Keys of metadata.
const MAX_METADATA_KEYS: usize = 50;
/// Characters of a metadata key or text.
const MAX_METADATA_TEXT: usize = 500;
/// A week, in seconds.
const MAX_DEADLINE_SECONDS: u32 = 7 * 24 * 3600;

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
}

impl TaskService {
    /// Accepts a task: once this returns, it is in the database and will reach an end.
    ///
    /// # Errors
    /// `not_found` for the crew, `validation_failed` with everything wrong at once, `idempotency_key_reused`.
    pub async fn submit(&self, context: &RequestContext, request: SubmitTask, key: Option<IdempotencyKey>) -> Result<Submitted> {
        if let Some(key) = &key
            && let Some(replay) = self.replay(context, key).await?
        {
            return Ok(replay);
        }
        let entry = self.parts.crews.resolve(context, &request.crew, request.version.as_deref()).await?;
        check(&request, &entry.definition)?;
        let (view, unit, pins) = self.prepare(context, request, &entry, key.as_ref());
        match (self.parts.committer.commit(unit).await, &key) {
            (Ok(()), _) => {
                if pins {
                    self.remember_pinned(&context.tenant, &entry.version);
                }
                self.parts.signal.notify();
                Ok(Submitted { view, replayed: false })
            }
            // The same key came at the same moment: the other request has won and its answer is ours.
            (Err(StoreError::Duplicate(_)), Some(key)) => {
                self.replay(context, key).await?.ok_or_else(|| Error::new(ErrorCode::Conflict, "try again"))
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    /// Whether a submission would be accepted now; nothing is stored.
    ///
    /// # Errors
    /// As [`TaskService::submit`].
    pub async fn check(&self, context: &RequestContext, request: &SubmitTask) -> Result<()> {
        let entry = self.parts.crews.resolve(context, &request.crew, request.version.as_deref()).await?;
        check(request, &entry.definition)
    }

    /// Accepts a task together with other changes of the same tenant: everything is stored, or nothing. The inner error says
    /// which of the changes could not be made.
    ///
    /// # Errors
    /// `not_found` for the crew, `validation_failed` with everything wrong at once.
    pub async fn submit_with(
        &self,
        context: &RequestContext,
        request: SubmitTask,
        accompany: impl FnOnce(TaskId) -> Vec<Change> + Send,
    ) -> Result<std::result::Result<TaskView, StoreError>> {
        let entry = self.parts.crews.resolve(context, &request.crew, request.version.as_deref()).await?;
        check(&request, &entry.definition)?;
        let (view, mut unit, pins) = self.prepare(context, request, &entry, None);
        unit.changes.extend(accompany(view.task.id));
        if let Err(error) = self.parts.committer.commit(unit).await {
            return Ok(Err(error));
        }
        if pins {
            self.remember_pinned(&context.tenant, &entry.version);
        }
        self.parts.signal.notify();
        Ok(Ok(view))
    }

    async fn replay(&self, context: &RequestContext, key: &IdempotencyKey) -> Result<Option<Submitted>> {
        let now = self.parts.clock.now();
        let Some(record) = self.parts.queries.idempotency(&context.tenant, ROUTE, &key.key, now).await? else {
            return Ok(None);
        };
        if record.fingerprint != key.fingerprint {
            return Err(Error::new(ErrorCode::IdempotencyKeyReused, "this idempotency key was used with another body"));
        }
        let view = self.get(context, record.task_id).await?;
        Ok(Some(Submitted { view: as_submitted(&view), replayed: true }))
    }

    /// The rows of a new task. The last value says whether the unit pins the definition for the first time.
    fn prepare(
        &self,
        context: &RequestContext,
        request: SubmitTask,
        entry: &CatalogEntry,
        key: Option<&IdempotencyKey>,
    ) -> (TaskView, UnitOfWork, bool) {
        let now = self.parts.clock.now();
        let task_id = TaskId::new(self.parts.ids.next_id());
        let mut run = Run::queued(RunId::new(self.parts.ids.next_id()), task_id, context.tenant.clone(), now);
        run.concurrency_key = request.options.concurrency.as_ref().map(|concurrency| concurrency.key.clone());
        let task = Task {
            id: task_id,
            tenant_id: context.tenant.clone(),
            crew: entry.definition.name.clone(),
            definition_version: entry.version.to_string(),
            priority: request.priority,
            inputs: request.inputs,
            metadata: request.metadata,
            deadline_seconds: request.deadline_seconds,
            budget: request.budget,
            options: request.options,
            traceparent: context.traceparent.clone(),
            request_id: context.request_id.clone(),
            current_run: run.id,
            created_at: now,
        };
        let data = json!({"crew": task.crew, "definition_version": task.definition_version, "priority": task.priority, "attempt": run.attempt});
        let event = EventDraft::of_run(EventKind::TaskQueued, data).number(1, task_id, run.id, now);
        let mut unit = UnitOfWork::new(context.tenant.clone());
        let pins = !self.is_pinned(&context.tenant, &entry.version);
        if pins {
            unit.push(Change::SaveCrew(Box::new(self.parts.crews.stored(&context.tenant, entry))));
        }
        if let Some(key) = key {
            unit.push(Change::InsertIdempotencyKey(Box::new(IdempotencyRecord {
                tenant_id: context.tenant.clone(),
                route: ROUTE.to_owned(),
                key: key.key.clone(),
                fingerprint: key.fingerprint.clone(),
                task_id,
                created_at: now,
            })));
        }
        unit.push(Change::InsertTask(Box::new(task.clone())));
        unit.push(Change::InsertRun(Box::new(run.clone())));
        unit.push(Change::AppendEvent(std::sync::Arc::new(event)));
        (TaskView { task, run, progress: TaskProgress::default() }, unit, pins)
    }
}

/// The first answer again: the task as it was when it was accepted.
fn as_submitted(view: &TaskView) -> TaskView {
    let task = &view.task;
    let run = Run::queued(task.current_run, task.id, task.tenant_id.clone(), task.created_at);
    TaskView { task: task.clone(), run, progress: TaskProgress::default() }
}

fn check(request: &SubmitTask, definition: &CrewDefinition) -> Result<()> {
    let mut problems = Vec::new();
    let missing = definition.missing_inputs(&request.inputs);
    problems.extend(missing.iter().map(|name| {
        FieldProblem::new(format!("/inputs/{}", escape(name)), format!("is required: the crew's texts use {{{name}}}"))
    }));
    if missing.is_empty()
        && let Err(error) = definition.render(&request.inputs)
    {
        let wrong = error.problems.iter().map(|problem| FieldProblem::new(problem.pointer(), problem.message.clone()));
        problems.extend(wrong);
    }
    let input_bytes = serde_json::to_vec(&request.inputs).map_or(usize::MAX, |bytes| bytes.len());
    if input_bytes > MAX_INPUT_BYTES {
        problems.push(FieldProblem::new("/inputs", format!("has {input_bytes} bytes of JSON; {MAX_INPUT_BYTES} are allowed")));
    }
    if request.deadline_seconds.is_some_and(|seconds| !(1..=MAX_DEADLINE_SECONDS).contains(&seconds)) {
        problems.push(FieldProblem::new("/deadline_seconds", format!("must be between 1 and {MAX_DEADLINE_SECONDS}")));
    }
    if request.budget.max_tokens == Some(0) {
        problems.push(FieldProblem::new("/budget/max_tokens", "must be at least 1"));
    }
    check_metadata(&request.metadata, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(Error::validation(problems)) }
}

fn check_metadata(metadata: &Map<String, Value>, problems: &mut Vec<FieldProblem>) {
    if metadata.len() > MAX_METADATA_KEYS {
        problems.push(FieldProblem::new("/metadata", format!("has {} keys; {MAX_METADATA_KEYS} are allowed", metadata.len())));
    }
    for (key, value) in metadata {
        let pointer = format!("/metadata/{}", escape(key));
        if key.is_empty() || key.chars().count() > 100 || key.chars().any(char::is_control) {
            problems.push(FieldProblem::new(pointer, "a key has 1 to 100 characters, none of them a control character"));
        } else if value.as_str().is_some_and(|text| text.chars().count() > MAX_METADATA_TEXT) {
            problems.push(FieldProblem::new(pointer, format!("is longer than {MAX_METADATA_TEXT} characters")));
        } else if value.is_object() || value.is_array() || value.is_null() {
            problems.push(FieldProblem::new(pointer, "must be a text, a number or a boolean"));
        }
    }
}

/// A key as a part of a JSON pointer (RFC 6901).
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
