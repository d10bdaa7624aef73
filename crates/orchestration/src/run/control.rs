//! Orders to a run that is being worked on.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crewd_application::ports::{ControlItem, ControlRequest, StoreError};
use crewd_domain::runs::{CancelMode, CancelRequest, Pause, WaitReason};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::lease_watch::LeaseWatch;
use super::stop::Stop;

/// How a worker that stops tells its runs; they go back to the queue.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    /// No further step begins.
    pub soon: CancellationToken,
    /// Steps that are going on are dropped.
    pub now: CancellationToken,
}

/// A message to the agent at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMessage {
    /// The order it came with.
    pub order: Uuid,
    /// The text.
    pub text: String,
}

/// What has been ordered and not carried out.
#[derive(Debug, Default)]
struct Orders {
    /// Orders are read again and again until they are applied; each is heard once.
    heard: HashSet<Uuid>,
    /// Orders that are to be marked as applied with the next transition of the run: not before, because a worker that
    /// dies must not take them with it.
    applied: Vec<Uuid>,
    cancel: Option<CancelRequest>,
    pause: Option<Pause>,
    messages: VecDeque<SentMessage>,
    /// A question of the run was answered.
    answered: bool,
}

/// The strings by which a worker holds one of its runs.
#[derive(Debug, Default)]
pub struct RunControl {
    /// Set at any cancel: no further step begins.
    stop_soon: CancellationToken,
    /// Set at an immediate cancel: the step that is going on is dropped.
    stop_now: CancellationToken,
    drain: Drain,
    leases: Arc<LeaseWatch>,
    orders: Mutex<Orders>,
}

impl RunControl {
    /// A control that hears of the worker's own end through `drain`, and of its heartbeat through `leases`.
    #[must_use]
    pub fn new(drain: Drain, leases: Arc<LeaseWatch>) -> Self {
        Self { drain, leases, ..Self::default() }
    }

    /// To be asked right before anything that has an effect outside.
    ///
    /// # Errors
    /// [`Stop::Abandoned`] where the lease may be somebody else's by now.
    pub fn still_mine(&self) -> Result<(), Stop> {
        if self.leases.is_fresh() {
            return Ok(());
        }
        // It may be ours after all: then the heartbeat finds that nobody works on it, and gives it away.
        Err(Stop::Abandoned(StoreError::Unavailable("the lease was not renewed in time".into())))
    }

    /// Takes an order. One that was heard before changes nothing.
    pub fn obey(&self, order: &ControlItem) {
        let mut orders = self.orders();
        if !orders.heard.insert(order.id) {
            return;
        }
        match &order.request {
            ControlRequest::Cancel(request) => {
                orders.applied.push(order.id);
                // A later immediate cancel hastens an earlier graceful one; the first reason stays.
                orders.cancel.get_or_insert_with(|| request.clone());
                drop(orders);
                self.stop_soon.cancel();
                if request.mode == CancelMode::Immediate {
                    self.stop_now.cancel();
                }
            }
            ControlRequest::Pause { reason, actor } => {
                orders.applied.push(order.id);
                let details = json!({"comment": reason, "by": actor});
                orders.pause = Some(Pause { reason: WaitReason::Operator, until: None, details });
            }
            ControlRequest::Resume { .. } => {
                orders.applied.push(order.id);
                orders.pause = None;
            }
            ControlRequest::Decided { .. } => {
                orders.applied.push(order.id);
                orders.answered = true;
            }
            ControlRequest::Message { text, .. } => {
                orders.messages.push_back(SentMessage { order: order.id, text: text.clone() });
            }
        }
    }

    /// The cancel that was asked for.
    #[must_use]
    pub fn cancel_request(&self) -> Option<CancelRequest> {
        self.orders().cancel.clone()
    }

    /// Orders that a transition of the run carries out, all but messages.
    #[must_use]
    pub fn take_applied(&self) -> Vec<Uuid> {
        std::mem::take(&mut self.orders().applied)
    }

    /// The next message to the agent at work. Whoever takes it marks the order as applied.
    #[must_use]
    pub fn take_message(&self) -> Option<SentMessage> {
        self.orders().messages.pop_front()
    }

    /// Whether a message waits for the agent at work.
    #[must_use]
    pub fn has_message(&self) -> bool {
        !self.orders().messages.is_empty()
    }

    /// The pause that was asked for and not taken back.
    #[must_use]
    pub fn pause_request(&self) -> Option<Pause> {
        self.orders().pause.clone()
    }

    /// Whether a question was answered since the run was taken: it must not be parked for it.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.orders().answered
    }

    /// To be asked at each step boundary.
    ///
    /// # Errors
    /// [`Stop::Cancelled`], [`Stop::Drained`] or [`Stop::Waiting`].
    pub fn check(&self) -> Result<(), Stop> {
        if self.stop_soon.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if self.drain.soon.is_cancelled() {
            return Err(Stop::Drained);
        }
        match self.orders().pause.clone() {
            Some(pause) => Err(Stop::Waiting(Box::new(pause))),
            None => Ok(()),
        }
    }

    /// Does some work, unless an immediate cancel or the end of a drain drops it.
    ///
    /// # Errors
    /// [`Stop::Cancelled`] or [`Stop::Drained`].
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            () = self.stop_now.cancelled() => Err(Stop::Cancelled),
            () = self.drain.now.cancelled() => Err(Stop::Drained),
            done = work => Ok(done),
        }
    }

    /// Waits between steps: any order to stop ends the wait.
    ///
    /// # Errors
    /// [`Stop::Cancelled`] or [`Stop::Drained`].
    pub async fn pause(&self, wait: impl Future<Output = ()>) -> Result<(), Stop> {
        tokio::select! {
            biased;
            () = self.stop_soon.cancelled() => Err(Stop::Cancelled),
            () = self.drain.soon.cancelled() => Err(Stop::Drained),
            () = wait => Ok(()),
        }
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crewd_domain::shared::{RunId, TaskId};

    use super::*;

    fn order(id: u128, request: ControlRequest) -> ControlItem {
        let (run_id, task_id) = (RunId::new(Uuid::nil()), TaskId::new(Uuid::nil()));
        ControlItem { id: Uuid::from_u128(id), run_id, task_id, request }
    }

    fn cancel(id: u128, mode: CancelMode, reason: &str) -> ControlItem {
        order(
            id,
            ControlRequest::Cancel(CancelRequest { mode, reason: Some(reason.into()), actor: "ada".into(), superseded: None }),
        )
    }

    fn pause(id: u128) -> ControlItem {
        order(id, ControlRequest::Pause { reason: None, actor: "ada".into() })
    }

    #[tokio::test]
    async fn a_graceful_cancel_lets_the_step_finish_and_an_immediate_one_does_not() {
        let control = RunControl::default();
        assert!(control.check().is_ok());
        control.obey(&cancel(1, CancelMode::Graceful, "first"));
        assert!(matches!(control.check(), Err(Stop::Cancelled)));
        assert!(matches!(control.unless_stopped(async { 7 }).await, Ok(7)));
        control.obey(&cancel(2, CancelMode::Immediate, "second"));
        assert!(matches!(control.unless_stopped(std::future::pending::<()>()).await, Err(Stop::Cancelled)));
        assert_eq!(control.cancel_request().and_then(|request| request.reason), Some("first".to_owned()));
        assert_eq!(control.take_applied(), [Uuid::from_u128(1), Uuid::from_u128(2)]);
    }

    #[tokio::test]
    async fn a_stopping_worker_ends_a_pause() {
        let drain = Drain::default();
        let control = RunControl::new(drain.clone(), Arc::default());
        drain.soon.cancel();
        assert!(matches!(control.unless_stopped(async { 7 }).await, Ok(7)), "a step may finish");
        assert!(matches!(control.pause(std::future::pending()).await, Err(Stop::Drained)));
        assert!(matches!(control.check(), Err(Stop::Drained)));
        drain.now.cancel();
        assert!(matches!(control.unless_stopped(std::future::pending::<()>()).await, Err(Stop::Drained)));
    }

    #[test]
    fn a_pause_is_heard_once_and_can_be_taken_back() {
        let control = RunControl::default();
        control.obey(&pause(1));
        assert!(matches!(control.check(), Err(Stop::Waiting(pause)) if pause.reason == WaitReason::Operator));
        control.obey(&order(2, ControlRequest::Resume { actor: "ada".into() }));
        control.obey(&pause(1));
        assert!(control.check().is_ok(), "the same order again is no new one");
        control.obey(&pause(3));
        assert!(control.check().is_err());
    }
}
