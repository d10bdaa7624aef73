//! The pace of a stream.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How often an idle stream shows that it is alive.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// When a stream ends for other reasons than the end of its task.
pub(crate) struct Pace {
    /// When a reader should come back, in milliseconds.
    pub(crate) retry_ms: u64,
    /// Ends the stream when the server stops.
    pub(crate) shutdown: CancellationToken,
}
