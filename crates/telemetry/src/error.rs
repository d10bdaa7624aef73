//! Why telemetry could not start.

use std::path::PathBuf;

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The folder of log files cannot be used.
    #[error("log files cannot be written to {}: {reason}", folder.display())]
    LogFolder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The thread that writes log lines cannot be started.
    #[error("no thread for log lines: {0}")]
    LogThread(#[source] std::io::Error),
    /// The exporter of traces cannot be built.
    #[error("traces cannot be exported: {0}")]
    Exporter(String),
    /// Another subscriber of events was installed before.
    #[error("telemetry was already started in this process")]
    AlreadyStarted,
    /// A metric could not be registered.
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] prometheus::Error),
}
