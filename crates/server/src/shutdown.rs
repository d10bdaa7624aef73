//! When to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGTERM or SIGINT. A second one gives up draining: `hurry` is cancelled.
pub(crate) struct Shutdown {
    /// Stop taking work.
    pub(crate) begin: CancellationToken,
    /// Stop waiting for work.
    pub(crate) hurry: CancellationToken,
}

impl Shutdown {
    /// Listens for signals.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = Self { begin: CancellationToken::new(), hurry: CancellationToken::new() };
        let (begin, hurry) = (shutdown.begin.clone(), shutdown.hurry.clone());
        tokio::spawn(async move {
            for token in [begin, hurry] {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                token.cancel();
            }
        });
        Ok(shutdown)
    }
}
