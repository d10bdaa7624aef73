//! Stopping for a while, and going on.

use crewd_domain::runs::{RunStatus, StepPath, WaitReason};
use crewd_domain::shared::TaskId;

use super::service::TaskService;
use crate::attempts::Attempts;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Change, ControlItem, ControlRequest, RunUpdate, StoreError, TaskView, UnitOfWork};

/// The answer to a pause.
#[derive(Clone, Debug, PartialEq)]
pub struct PauseAnswer {
    /// The task now.
    pub view: TaskView,
    /// Whether it is paused already, so that nothing was done.
    pub was_paused: bool,
}

impl TaskService {
    /// Asks for a pause at the next step boundary. Idempotent: while a pause is asked for or holds, nothing changes.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` for a task that has ended or is being cancelled.
    pub async fn pause(&self, context: &RequestContext, id: TaskId, reason: Option<String>) -> Result<PauseAnswer> {
        let view = self.get(context, id).await?;
        if view.run.status.is_terminal() || view.run.status == RunStatus::Cancelling {
            let message = format!("the task is {} and cannot be paused", view.run.status);
            return Err(Error::new(ErrorCode::InvalidState, message).because("not_pausable"));
        }
        if view.run.waiting_for == Some(WaitReason::Operator) {
            return Ok(PauseAnswer { view, was_paused: true });
        }
        if !pause_is_ordered(&self.parts.queries.orders(&context.tenant, view.run.id).await?) {
            let order = self.order(&view, ControlRequest::Pause { reason, actor: context.actor.clone() });
            self.give(&view, &order).await?;
        }
        Ok(PauseAnswer { view: self.get(context, id).await?, was_paused: false })
    }

    /// Lets a paused task go on, or takes back a pause that was not heeded yet. `stop_after` pauses it again behind that
    /// step.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` with the reason `not_paused`; `conflict` if the run changes faster than it can be read.
    pub async fn resume(&self, context: &RequestContext, id: TaskId, stop_after: Option<StepPath>) -> Result<TaskView> {
        let mut attempts = Attempts::default();
        while attempts.next().await {
            let view = self.get(context, id).await?;
            let orders = self.parts.queries.orders(&context.tenant, view.run.id).await?;
            if view.run.waiting_for == Some(WaitReason::Operator) {
                match self.parts.committer.commit(self.resuming(&view, &orders, stop_after.clone()).await?).await {
                    Ok(()) => {
                        self.parts.signal.notify();
                        return self.get(context, id).await;
                    }
                    // Somebody else has let it go on, or has ended it.
                    Err(StoreError::Conflict | StoreError::Duplicate(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            } else if !view.run.status.is_terminal() && pause_is_ordered(&orders) && stop_after.is_none() {
                let order = self.order(&view, ControlRequest::Resume { actor: context.actor.clone() });
                self.give(&view, &order).await?;
                return self.get(context, id).await;
            } else {
                let message = "the task is not paused";
                return Err(Error::new(ErrorCode::InvalidState, message).because("not_paused"));
            }
        }
        Err(Error::new(ErrorCode::Conflict, "the task changes too fast; try again"))
    }

    async fn resuming(&self, view: &TaskView, orders: &[ControlItem], stop_after: Option<StepPath>) -> Result<UnitOfWork> {
        let mut run = view.run.clone();
        let expected_version = run.version;
        run.wake(self.parts.clock.now()).map_err(|error| {
            Error::new(ErrorCode::InvalidState, "the task is not paused").because("not_paused").caused_by(error)
        })?;
        run.stop_after = stop_after;
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        let ids = orders.iter().filter(|order| is_about_pausing(order)).map(|order| order.id).collect::<Vec<_>>();
        if !ids.is_empty() {
            let applied_seq = self.parts.queries.last_seq(&run.tenant_id, run.task_id).await?;
            unit.push(Change::ApplyControls { run_id: run.id, ids, applied_seq });
        }
        unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        Ok(unit)
    }

    /// Writes an order down and tells whoever may hear it.
    async fn give(&self, view: &TaskView, order: &ControlItem) -> Result<()> {
        self.parts.committer.commit(Self::ordering(order, view)).await?;
        self.parts.orders.give(order);
        self.parts.signal.notify();
        Ok(())
    }
}

/// Whether the orders that wait end in a pause.
fn pause_is_ordered(orders: &[ControlItem]) -> bool {
    let last = orders.iter().rev().find(|order| is_about_pausing(order));
    last.is_some_and(|order| matches!(order.request, ControlRequest::Pause { .. }))
}

pub(super) const fn is_about_pausing(order: &ControlItem) -> bool {
    matches!(order.request, ControlRequest::Pause { .. } | ControlRequest::Resume { .. })
}
