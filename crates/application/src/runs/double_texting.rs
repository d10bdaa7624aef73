//! What a new task means for those with the same concurrency key that have not ended.
//!
//! Every new task with a key takes the key's turn: a record that names the newest task and that is swapped in the unit of
//! the submission. So of two submissions at the same moment one is stored first, and the other one looks again.

use crewd_domain::runs::{CancelMode, CancelRequest, Concurrency, ConcurrencyMode, RunStatus, Superseded};
use serde_json::{Map, Value};

use super::service::TaskService;
use super::unheld::Unheld;
use crate::context::RequestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::ports::{Change, ControlItem, ControlRequest, DedupRecord, LeaseGuard, RunUpdate, TaskView, UnitOfWork};

/// Sets turns apart from business keys, which hold no control character.
const TURN: &str = "\u{1}";

/// What goes with a new task into its unit.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) changes: Vec<Change>,
    /// Orders to workers, to be given when the unit is stored.
    pub(super) orders: Vec<ControlItem>,
    /// Whether runs are cancelled: a conflict then means that one of them has gone on or has ended, and that it is worth
    /// another look.
    pub(super) changes_runs: bool,
}

impl TaskService {
    /// Takes the turn of a new task's key, and puts those before it aside where its mode says so.
    ///
    /// # Errors
    /// `conflict` with the reason `concurrency_conflict`, in the mode `reject`.
    pub(super) async fn take_turn(&self, context: &RequestContext, concurrency: &Concurrency, new: &TaskView) -> Result<Turn> {
        let tenant = &context.tenant;
        let key = format!("{TURN}{}", concurrency.key);
        // The record first: whoever comes behind this reading makes the swap fail.
        let replaces = self.parts.queries.dedup_key(tenant, &key).await?.map(|record| record.task_id);
        let before = self.parts.queries.tasks_with_key(tenant, &concurrency.key).await?;
        let drops_output = match (concurrency.mode, before.first()) {
            (ConcurrencyMode::Reject, Some(first)) => return Err(occupied(first)),
            (ConcurrencyMode::Interrupt, _) => Some(false),
            (ConcurrencyMode::Rollback, _) => Some(true),
            (ConcurrencyMode::Reject | ConcurrencyMode::Enqueue | ConcurrencyMode::Merge, _) => None,
        };
        let mut turn = Turn::default();
        if let Some(drops_output) = drops_output {
            let superseded = Superseded { by: new.run.id, drops_output };
            for view in before {
                self.supersede(context, view, superseded, &mut turn).await?;
            }
        }
        let record = DedupRecord { tenant_id: tenant.clone(), key, task_id: new.task.id, expires_at: None, replaces };
        turn.changes.push(Change::InsertDedupKey(Box::new(record)));
        Ok(turn)
    }

    async fn supersede(&self, context: &RequestContext, view: TaskView, superseded: Superseded, turn: &mut Turn) -> Result<()> {
        turn.changes_runs = true;
        let request = CancelRequest {
            mode: CancelMode::Immediate,
            reason: Some("a newer task took its place".to_owned()),
            actor: context.actor.clone(),
            superseded: Some(superseded),
        };
        if view.run.status.is_active() {
            let order = self.order(&view, ControlRequest::Cancel(request));
            turn.changes.push(Change::InsertControl(Box::new(order.clone())));
            turn.orders.push(order);
            return Ok(());
        }
        let run = view.run;
        let next_seq = self.parts.queries.last_seq(&run.tenant_id, run.task_id).await?.saturating_add(1);
        let mut unit = UnitOfWork::new(run.tenant_id.clone());
        let unheld = Unheld { queries: &*self.parts.queries, run, next_seq, now: self.parts.clock.now() };
        unheld.cancel(&mut unit, request).await?;
        turn.changes.append(&mut unit.changes);
        Ok(())
    }

    /// The task that inputs with a key are merged into: the one at work, else the one that comes to work first.
    pub(super) async fn merge_target(&self, context: &RequestContext, concurrency: &Concurrency) -> Result<Option<TaskView>> {
        let before = self.parts.queries.tasks_with_key(&context.tenant, &concurrency.key).await?;
        let order = [RunStatus::Running, RunStatus::Waiting, RunStatus::Queued, RunStatus::Scheduled];
        let place = |view: &TaskView| order.iter().position(|status| *status == view.run.status);
        let listening = before.into_iter().filter(|view| view.run.cancel.is_none() && place(view).is_some());
        Ok(listening.min_by_key(place))
    }

    /// A message for a task that goes on. It is stored only while the run is as it was read.
    pub(super) fn merging(
        &self,
        context: &RequestContext,
        inputs: &Map<String, Value>,
        target: &TaskView,
    ) -> (UnitOfWork, ControlItem) {
        let message = ControlRequest::Message { text: message_of(inputs), actor: context.actor.clone() };
        let order = self.order(target, message);
        let mut unit = Self::ordering(&order, target);
        let mut run = target.run.clone();
        if run.status.is_active() {
            unit.guard(LeaseGuard { run_id: run.id, epoch: run.epoch });
        } else {
            let expected_version = run.version;
            run.touch();
            unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
        }
        (unit, order)
    }
}

/// The input `message`, or all inputs as JSON.
fn message_of(inputs: &Map<String, Value>) -> String {
    match inputs.get("message") {
        Some(Value::String(text)) => text.clone(),
        _ => Value::Object(inputs.clone()).to_string(),
    }
}

fn occupied(first: &TaskView) -> Error {
    let message = format!("a task with this concurrency key is {}", first.run.status);
    Error::new(ErrorCode::Conflict, message).because("concurrency_conflict").about(first.task.id)
}
