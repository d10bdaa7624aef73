//! Tasks as clients see them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crewd_domain::runs::{CancelMode, CancelRequest, Event, EventKind, Run, RunStatus, Step};
use crewd_domain::shared::{RunId, TaskId, TenantId};

use super::admission::Admission;
use super::committer::Committer;
use super::feed::{EventFeed, FeedStart};
use super::places::Places;
use super::takeover::steps_in_order;
use super::unheld::Unheld;
use crate::attempts::Attempts;
use crate::context::RequestContext;
use crate::crews::CrewService;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{
    Change, Clock, ControlItem, ControlRequest, EventQuery, EventStream, IdGenerator, RunOrders, RunQueries, StoreError,
    TaskFilter, TaskPage, TaskView, UnitOfWork, WorkSignal,
};

/// What the service works with.
pub struct TaskServiceParts {
    /// Persist, then publish.
    pub committer: Committer,
    /// Reads.
    pub queries: Arc<dyn RunQueries>,
    /// Live hints.
    pub stream: Arc<dyn EventStream>,
    /// Definitions.
    pub crews: Arc<CrewService>,
    /// Wakes workers.
    pub signal: Arc<dyn WorkSignal>,
    /// Reaches runs that are worked on in this process.
    pub orders: Arc<dyn RunOrders>,
    /// Keeps out what is too much.
    pub admission: Arc<Admission>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// The answer to a cancel.
#[derive(Clone, Debug, PartialEq)]
pub struct CancelAnswer {
    /// The task now.
    pub view: TaskView,
    /// Whether it had ended before, so that nothing was done.
    pub was_terminal: bool,
}

/// Submits, reads, follows and cancels tasks.
pub struct TaskService {
    pub(super) parts: TaskServiceParts,
    /// Definitions this process has stored, so that not every submission writes them again.
    pinned: Mutex<HashSet<(TenantId, String)>>,
    places: Places,
}

impl TaskService {
    /// A service over its parts.
    #[must_use]
    pub fn new(parts: TaskServiceParts) -> Self {
        Self { parts, pinned: Mutex::new(HashSet::new()), places: Places::default() }
    }

    /// A task with its state.
    ///
    /// # Errors
    /// `not_found`, for a foreign id as well.
    pub async fn get(&self, context: &RequestContext, id: TaskId) -> Result<TaskView> {
        self.parts.queries.task(&context.tenant, id).await?.ok_or_else(|| Error::not_found("task"))
    }

    /// The place of a task in the queue, from 1, counted up to [`LONGEST_POSITION`](super::LONGEST_POSITION); nothing unless it is queued.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn queue_position(&self, context: &RequestContext, view: &TaskView) -> Result<Option<u64>> {
        if view.run.status != RunStatus::Queued {
            return Ok(None);
        }
        let before = self.places.before(self.parts.admission.queue(), &context.tenant, view).await?;
        Ok(before.map(|before| before.saturating_add(1)))
    }

    /// Tasks, newest first.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub async fn list(
        &self,
        context: &RequestContext,
        filter: &TaskFilter,
        before: Option<TaskId>,
        limit: u32,
    ) -> Result<TaskPage> {
        Ok(self.parts.queries.tasks(&context.tenant, filter, before, limit).await?)
    }

    /// All runs of a task, the first one first.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn runs(&self, context: &RequestContext, id: TaskId) -> Result<Vec<Run>> {
        self.get(context, id).await?;
        Ok(self.parts.queries.runs_of(&context.tenant, id).await?)
    }

    /// The journal of a run of the task, in order; of its current run unless another one is named.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn steps(&self, context: &RequestContext, id: TaskId, run: Option<RunId>) -> Result<Vec<Step>> {
        let view = self.get(context, id).await?;
        let run = match run {
            None => view.run.id,
            Some(id) => {
                let run = self.parts.queries.run(&context.tenant, id).await?.filter(|run| run.task_id == view.task.id);
                run.ok_or_else(|| Error::not_found("run of this task"))?.id
            }
        };
        Ok(steps_in_order(&*self.parts.queries, &view.task, run).await?)
    }

    /// A page of the log.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn events(&self, context: &RequestContext, query: &EventQuery) -> Result<Vec<Event>> {
        self.get(context, query.task_id).await?;
        Ok(self.parts.queries.events(&context.tenant, query).await?)
    }

    /// Follows the log from behind a number, through the end of the task.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn follow(
        &self,
        context: &RequestContext,
        id: TaskId,
        after: u64,
        kinds: Vec<EventKind>,
    ) -> Result<(FeedStart, EventFeed)> {
        let subscription = self.parts.stream.subscribe(id);
        let view = self.get(context, id).await?;
        let last_seq = self.parts.queries.last_seq(&context.tenant, id).await?;
        let start = FeedStart { view, last_seq };
        let feed = EventFeed::new(subscription, self.parts.queries.clone(), &start, after, kinds);
        Ok((start, feed))
    }

    /// The task once it has ended, or as it is when the time is over.
    ///
    /// # Errors
    /// `not_found`.
    pub async fn wait(&self, context: &RequestContext, id: TaskId, limit: Duration) -> Result<TaskView> {
        let terminal = EventKind::ALL.iter().copied().filter(|kind| kind.is_terminal()).collect();
        let subscription = self.parts.stream.subscribe(id);
        // Read before the state: what ends a task that goes on has a larger number.
        let last_seq = self.parts.queries.last_seq(&context.tenant, id).await?;
        let view = self.get(context, id).await?;
        if view.run.status.is_terminal() {
            return Ok(view);
        }
        let start = FeedStart { view, last_seq };
        let mut feed = EventFeed::new(subscription, self.parts.queries.clone(), &start, last_seq, terminal);
        let ended = async {
            // The end that is heard may be that of a run before: another one goes on.
            while feed.next().await?.is_some() {
                let view = self.get(context, id).await?;
                if view.run.status.is_terminal() {
                    return Ok(view);
                }
            }
            self.get(context, id).await
        };
        match tokio::time::timeout(limit, ended).await {
            Ok(view) => view,
            Err(_) => self.get(context, id).await,
        }
    }

    /// Ends a task: at once where no worker holds it, else as soon as its worker hears of it. Idempotent.
    ///
    /// # Errors
    /// `not_found`; `conflict` if the run changes faster than it can be read.
    pub async fn cancel(
        &self,
        context: &RequestContext,
        id: TaskId,
        mode: CancelMode,
        reason: Option<String>,
    ) -> Result<CancelAnswer> {
        let request = CancelRequest { mode, reason, actor: context.actor.clone(), superseded: None };
        let mut attempts = Attempts::default();
        while attempts.next().await {
            let view = self.get(context, id).await?;
            if view.run.status.is_terminal() {
                return Ok(CancelAnswer { view, was_terminal: true });
            }
            let order = self.order(&view, ControlRequest::Cancel(request.clone()));
            let is_active = view.run.status.is_active();
            let unit = if is_active { Self::ordering(&order, &view) } else { self.cancel_unheld(view, request.clone()).await? };
            match self.parts.committer.commit(unit).await {
                Ok(()) => {
                    if is_active {
                        self.parts.orders.give(&order);
                    }
                    return Ok(CancelAnswer { view: self.get(context, id).await?, was_terminal: false });
                }
                // A worker took or left the run meanwhile: look again.
                Err(StoreError::Conflict | StoreError::Duplicate(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::new(ErrorCode::Conflict, "the task changes too fast; try again"))
    }

    pub(super) fn order(&self, view: &TaskView, request: ControlRequest) -> ControlItem {
        ControlItem { id: self.parts.ids.next_id(), run_id: view.run.id, task_id: view.task.id, request }
    }

    pub(super) fn ordering(order: &ControlItem, view: &TaskView) -> UnitOfWork {
        let mut unit = UnitOfWork::new(view.task.tenant_id.clone());
        unit.push(Change::InsertControl(Box::new(order.clone())));
        unit
    }

    async fn cancel_unheld(&self, view: TaskView, request: CancelRequest) -> Result<UnitOfWork> {
        let run = view.run;
        let next_seq = self.parts.queries.last_seq(&run.tenant_id, run.task_id).await?.saturating_add(1);
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        let unheld = Unheld { queries: &*self.parts.queries, run, next_seq, now: self.parts.clock.now() };
        unheld.cancel(&mut unit, request).await?;
        Ok(unit)
    }

    pub(super) fn is_pinned(&self, tenant: &TenantId, version: &str) -> bool {
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.contains(&(tenant.clone(), version.to_owned()))
    }

    pub(super) fn remember_pinned(&self, tenant: &TenantId, version: &str) {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner).insert((tenant.clone(), version.to_owned()));
    }
}
