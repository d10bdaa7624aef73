//! Orders to a run that is being worked on.

use std::sync::{Mutex, PoisonError};

use crewd_domain::runs::{CancelMode, CancelRequest};
use tokio_util::sync::CancellationToken;

use super::stop::Stop;

/// How a worker that stops tells its runs; they go back to the queue.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    /// No further step begins.
    pub soon: CancellationToken,
    /// Steps that are going on are dropped.
    pub now: CancellationToken,
}

/// The strings by which a worker holds one of its runs.
#[derive(Debug, Default)]
pub struct RunControl {
    /// Set at any cancel: no further step begins.
    stop_soon: CancellationToken,
    /// Set at an immediate cancel: the step that is going on is dropped.
    stop_now: CancellationToken,
    drain: Drain,
    cancel: Mutex<Option<CancelRequest>>,
}

impl RunControl {
    /// A control that hears of the worker's own end through `drain`.
    #[must_use]
    pub fn new(drain: Drain) -> Self {
        Self { drain, ..Self::default() }
    }

    /// Asks for the end of the run. A later immediate cancel hastens an earlier graceful one; the first reason stays.
    pub fn cancel(&self, request: CancelRequest) {
        let mode = request.mode;
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(request);
        self.stop_soon.cancel();
        if mode == CancelMode::Immediate {
            self.stop_now.cancel();
        }
    }

    /// The cancel that was asked for.
    #[must_use]
    pub fn cancel_request(&self) -> Option<CancelRequest> {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// To be asked at each step boundary.
    ///
    /// # Errors
    /// [`Stop::Cancelled`] or [`Stop::Drained`].
    pub fn check(&self) -> Result<(), Stop> {
        if self.stop_soon.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        if self.drain.soon.is_cancelled() {
            return Err(Stop::Drained);
        }
        Ok(())
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

    /// Waits between steps: any order ends the wait.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(mode: CancelMode, reason: &str) -> CancelRequest {
        CancelRequest { mode, reason: Some(reason.into()), actor: "ada".into() }
    }

    #[tokio::test]
    async fn a_graceful_cancel_lets_the_step_finish_and_an_immediate_one_does_not() {
        let control = RunControl::default();
        assert!(control.check().is_ok());
        control.cancel(request(CancelMode::Graceful, "first"));
        assert!(matches!(control.check(), Err(Stop::Cancelled)));
        assert!(matches!(control.unless_stopped(async { 7 }).await, Ok(7)));
        control.cancel(request(CancelMode::Immediate, "second"));
        assert!(matches!(control.unless_stopped(std::future::pending::<()>()).await, Err(Stop::Cancelled)));
        assert_eq!(control.cancel_request().and_then(|request| request.reason), Some("first".to_owned()));
    }

    #[tokio::test]
    async fn a_stopping_worker_ends_a_pause() {
        let drain = Drain::default();
        let control = RunControl::new(drain.clone());
        drain.soon.cancel();
        assert!(matches!(control.unless_stopped(async { 7 }).await, Ok(7)), "a step may finish");
        assert!(matches!(control.pause(std::future::pending()).await, Err(Stop::Drained)));
        assert!(matches!(control.check(), Err(Stop::Drained)));
        drain.now.cancel();
        assert!(matches!(control.unless_stopped(std::future::pending::<()>()).await, Err(Stop::Drained)));
    }
}
