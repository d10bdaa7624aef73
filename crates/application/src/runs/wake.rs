//! Runs that no worker holds and whose time has come.

use std::sync::Arc;

use crewd_domain::approvals::{Approval, OnExpire};
use crewd_domain::runs::{CancelMode, CancelRequest, EventDraft, Failure, FailureClass, Run, RunStatus, WaitReason};
use crewd_domain::shared::ApprovalId;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;

use super::committer::Committer;
use super::pause::is_about_pausing;
use super::unheld::Unheld;
use crate::error::{ErrorCode, Result};
use crate::ports::{
    ApprovalQueries, ApprovalUpdate, Change, ControlItem, ControlRequest, DueRun, RunQueries, RunQueue, RunUpdate, StoreError,
    UnitOfWork, WorkSignal,
};

/// Runs read at a time.
const BATCH: u32 = 500;
/// Runs moved at a time.
const AT_ONCE: usize = 32;

/// What the service works with.
pub struct WakeParts {
    /// Finds due runs.
    pub queue: Arc<dyn RunQueue>,
    /// Reads what ended runs leave.
    pub queries: Arc<dyn RunQueries>,
    /// Reads answers.
    pub approvals: Arc<dyn ApprovalQueries>,
    /// Persist, then publish.
    pub committer: Committer,
    /// Wakes workers.
    pub signal: Arc<dyn WorkSignal>,
}

/// Queues scheduled runs whose time has come, fails queued ones that nobody took in time, wakes waiting ones, lets
/// questions expire, and carries out orders to runs that wait.
pub struct WakeService {
    parts: WakeParts,
}

impl WakeService {
    /// A service over its parts.
    #[must_use]
    pub const fn new(parts: WakeParts) -> Self {
        Self { parts }
    }

    /// Looks once. Several nodes may look at once: each run is moved by one of them. Returns how many this one moved.
    ///
    /// # Errors
    /// Where the database does not answer; the next tick goes on.
    pub async fn tick(&self) -> Result<usize> {
        let mut moved = 0;
        loop {
            let due = self.parts.queue.due(BATCH).await?;
            let is_last = due.len() < BATCH as usize;
            // Together, so that the store can commit them together.
            let moves = stream::iter(due).map(|due| self.look_after(due)).buffer_unordered(AT_ONCE);
            let done = moves.try_fold(0, |sum, one| async move { Ok(sum + usize::from(one)) }).await?;
            moved += done;
            if is_last || done == 0 {
                break;
            }
        }
        if moved > 0 {
            self.parts.signal.notify();
        }
        Ok(moved)
    }

    /// Whether this one moved it.
    async fn look_after(&self, due: DueRun) -> Result<bool> {
        let Some(unit) = self.unit_of(due).await? else { return Ok(false) };
        match self.parts.committer.commit(unit).await {
            Ok(()) => Ok(true),
            // Another node or an answer was faster.
            Err(StoreError::Conflict | StoreError::Duplicate(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn unit_of(&self, due: DueRun) -> Result<Option<UnitOfWork>> {
        let mut step = Step::new(due);
        match step.due.run.status {
            RunStatus::Scheduled => step.become_due(),
            RunStatus::Queued => self.give_up_waiting(&mut step).await?,
            RunStatus::Waiting => self.heed(&mut step).await?,
            _ => return Ok(None),
        }
        Ok(Some(step.unit).filter(|unit| !unit.changes.is_empty()))
    }

    /// Nobody took it in time.
    async fn give_up_waiting(&self, step: &mut Step) -> Result<()> {
        let limit = step.due.task.options.queue_timeout_seconds;
        let failure = Failure::new(FailureClass::Timeout, ErrorCode::Timeout.as_str(), "no worker took the task in time");
        let failure = failure.retryable().with_details(json!({"reason": "queue_timeout", "limit_seconds": limit}));
        let unheld = step.unheld(&*self.parts.queries);
        unheld.fail(&mut step.unit, failure).await
    }

    /// A waiting run: orders and questions first, then whatever else its time has come for.
    async fn heed(&self, step: &mut Step) -> Result<()> {
        let controls = std::mem::take(&mut step.due.controls);
        if let Some(request) = controls.iter().find_map(cancel_of) {
            return self.cancel(step, request, &controls).await;
        }
        let expired = step.expire_questions();
        if expired.contains(&OnExpire::Cancel) {
            let reason = Some("approval expired".to_owned());
            let request = CancelRequest { mode: CancelMode::Graceful, reason, actor: "system".to_owned(), superseded: None };
            return self.cancel(step, request, &controls).await;
        }
        if step.due.run.waiting_for == Some(WaitReason::Operator) && !is_let_go(&controls) {
            return self.stay_paused(step, controls).await;
        }
        // The orders themselves are for the worker that takes it.
        step.wake();
        Ok(())
    }

    async fn cancel(&self, step: &mut Step, request: CancelRequest, controls: &[ControlItem]) -> Result<()> {
        step.apply(controls);
        let unheld = step.unheld(&*self.parts.queries);
        unheld.cancel(&mut step.unit, request).await
    }

    /// A pause holds until somebody ends it: further pauses change nothing, and answers are written down here.
    async fn stay_paused(&self, step: &mut Step, mut controls: Vec<ControlItem>) -> Result<()> {
        controls.retain(|order| is_about_pausing(order) || decided_of(order).is_some());
        let run = &step.due.run;
        let answers: Vec<ApprovalId> = controls.iter().filter_map(decided_of).collect();
        if !answers.is_empty() {
            let known = self.parts.approvals.approvals_of(&run.tenant_id, run.id).await?;
            for said in known.iter().filter(|approval| answers.contains(&approval.id)).filter_map(Approval::said) {
                step.say(said);
            }
        }
        if !controls.is_empty() {
            step.apply(&controls);
        }
        if !step.unit.changes.is_empty() {
            let mut run = step.due.run.clone();
            run.touch();
            step.save(run);
        }
        Ok(())
    }
}

/// What is done about one run.
struct Step {
    due: DueRun,
    unit: UnitOfWork,
    next_seq: u64,
}

impl Step {
    fn new(due: DueRun) -> Self {
        Self { unit: UnitOfWork::new(due.run.tenant_id.clone()), next_seq: due.last_seq.saturating_add(1), due }
    }

    fn become_due(&mut self) {
        let timeout = self.due.task.options.queue_timeout_seconds;
        let queue_end = timeout.map(|seconds| self.due.now + chrono::TimeDelta::seconds(seconds.into()));
        let mut run = self.due.run.clone();
        if let Ok(said) = run.become_due(queue_end) {
            self.say(said);
            self.save(run);
        }
    }

    fn wake(&mut self) {
        let mut run = self.due.run.clone();
        if run.wake(self.due.now).is_ok() {
            self.save(run);
        }
    }

    /// Questions whose time is over; what each of them asks for then.
    fn expire_questions(&mut self) -> Vec<OnExpire> {
        let now = self.due.now;
        let mut expired = Vec::new();
        for mut approval in std::mem::take(&mut self.due.pending) {
            let expected_version = approval.version;
            let Ok(draft) = approval.expire(now) else { continue };
            expired.push(approval.on_expire);
            self.say(draft);
            self.unit.push(Change::UpdateApproval(Box::new(ApprovalUpdate { approval, expected_version })));
        }
        expired
    }

    fn say(&mut self, draft: EventDraft) {
        let run = &self.due.run;
        let event = draft.number(self.next_seq, run.task_id, run.id, self.due.now);
        self.next_seq = self.next_seq.saturating_add(1);
        self.unit.push(Change::AppendEvent(Arc::new(event)));
    }

    /// Notes that orders have been heeded, with what is said next.
    fn apply(&mut self, controls: &[ControlItem]) {
        let ids: Vec<_> = controls.iter().map(|order| order.id).collect();
        if !ids.is_empty() {
            self.unit.push(Change::ApplyControls { run_id: self.due.run.id, ids, applied_seq: self.next_seq });
        }
    }

    fn save(&mut self, run: Run) {
        let expected_version = self.due.run.version;
        self.unit.push(Change::UpdateRun(Box::new(RunUpdate { run, expected_version })));
    }

    fn unheld<'a>(&self, queries: &'a dyn RunQueries) -> Unheld<'a> {
        Unheld { queries, run: self.due.run.clone(), next_seq: self.next_seq, now: self.due.now }
    }
}

fn cancel_of(order: &ControlItem) -> Option<CancelRequest> {
    match &order.request {
        ControlRequest::Cancel(request) => Some(request.clone()),
        _ => None,
    }
}

const fn decided_of(order: &ControlItem) -> Option<ApprovalId> {
    match &order.request {
        ControlRequest::Decided { approval } => Some(*approval),
        _ => None,
    }
}

/// Whether the orders to a paused run end its pause.
fn is_let_go(controls: &[ControlItem]) -> bool {
    let last = controls.iter().rev().find(|order| is_about_pausing(order));
    last.is_some_and(|order| matches!(order.request, ControlRequest::Resume { .. }))
}
