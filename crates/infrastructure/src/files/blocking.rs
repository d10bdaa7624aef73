//! File work off the asynchronous threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::JailError;

/// Tells work on another thread that nobody waits for it any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends the work at its next check.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Ends the work here if its caller went away.
    ///
    /// # Errors
    /// [`JailError::Stopped`] then.
    pub(crate) fn check(&self) -> Result<(), JailError> {
        if self.0.load(Ordering::SeqCst) { Err(JailError::Stopped) } else { Ok(()) }
    }
}

/// Stops the work when the future that waits for it is dropped.
struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Does file work on a thread that may block. If the future is dropped, the work ends at its next [`Stop::check`].
///
/// # Errors
/// Those of the work; [`JailError::Io`] if it panicked.
pub(crate) async fn run_blocking<T, E, F>(work: F) -> Result<T, E>
where
    T: Send + 'static,
    E: From<JailError> + Send + 'static,
    F: FnOnce(&Stop) -> Result<T, E> + Send + 'static,
{
    let stop = Stop::default();
    let _guard = StopOnDrop(stop.clone());
    let joined = tokio::task::spawn_blocking(move || work(&stop)).await;
    joined.unwrap_or_else(|panicked| Err(JailError::Io(io::Error::other(panicked)).into()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_dropped_caller_stops_the_work() {
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (tell, told) = tokio::sync::oneshot::channel();
        let work = run_blocking(move |stop| {
            let before = stop.check();
            may_go_on.recv().ok();
            tell.send((before.is_ok(), stop.check().is_err())).ok();
            Ok::<_, JailError>(())
        });
        assert!(work.now_or_never().is_none(), "dropped here");
        go_on.send(()).unwrap();
        assert!(told.await.is_ok_and(|(_, stopped)| stopped));
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let answer = run_blocking::<(), JailError, _>(|_| panic!("on purpose")).await;
        assert!(matches!(answer, Err(JailError::Io(_))));
    }
}
