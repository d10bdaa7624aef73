//! What telemetry has to know before it starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use tracing::Level;

/// Tells the time. Injected, so that lines and spans are the same in every test run.
pub type TimeSource = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Gives random numbers for trace and span ids. Injected for the same reason.
pub type RandomSource = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The form of lines on the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Console,
    /// One JSON object per line.
    Json,
}

/// Where lines go besides the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard output, for a server.
    Stdout,
    /// Standard error, for commands whose result stands on standard output.
    Stderr,
}

/// How logs and traces are written.
#[derive(Clone)]
pub struct LogConfig {
    /// The least important messages that are logged.
    pub level: Level,
    /// The form of lines on the console; files always hold JSON.
    pub format: LogFormat,
    /// Where lines go besides the files.
    pub output: LogOutput,
    /// Whether console lines are coloured; the caller knows the terminal.
    pub is_coloured: bool,
    /// Folder of hourly files, if they are wanted.
    pub dir: Option<PathBuf>,
    /// Where traces go, if they are exported.
    pub otlp: Option<OtlpConfig>,
    /// Version of the program, for the traces' resource.
    pub service_version: String,
    /// Kind of installation (`production`, …), for the traces' resource.
    pub environment: String,
    /// Tells the time.
    pub now: TimeSource,
    /// Gives random numbers for trace and span ids.
    pub random: RandomSource,
}

/// How traces are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP, usually port 4318.
    HttpProtobuf,
    /// gRPC, usually port 4317. Has to be started inside a Tokio runtime.
    Grpc,
}

/// Where and how traces are sent. No `Debug`: headers are secrets.
#[derive(Clone)]
pub struct OtlpConfig {
    /// Address of the collector; for HTTP `/v1/traces` is added unless it is there.
    pub endpoint: String,
    /// How traces are sent.
    pub protocol: OtlpProtocol,
    /// Headers sent along, such as an authorization.
    pub headers: Vec<(String, String)>,
    /// Share of new traces that is sent, 0 to 1; traces begun elsewhere follow their caller's decision.
    pub sample_ratio: f64,
}
