//! Logs, traces, metrics and redaction: what an operator sees of crewd.
//!
//! Rule: this crate imports nothing of the workspace. Time and randomness are given to it. Nothing is written down
//! before it is redacted and cut to size, and nothing here makes the work wait.
//!
//! | module | holds |
//! |---|---|
//! | `config`, `error` | [`LogConfig`] with what telemetry has to know; [`TelemetryError`] |
//! | `start` | [`init`] and the [`TelemetryGuard`] that ends everything in order |
//! | `layer`, `filter`, `field` | the one layer behind `tracing`: ids, fields, lines, export; what it hears |
//! | `logs` | JSON and console lines, their writers and hourly files |
//! | `traces` | what is kept of a span, sampling, OTLP export over HTTP or gRPC |
//! | [`trace_context`] | `traceparent`: reading, writing, continuing |
//! | [`gen_ai`] | names and spans of OpenTelemetry's conventions for generative AI |
//! | [`metrics`] | [`Metrics`]: every metric, declared once |
//! | [`redact`] | secrets out of keys, values and texts |

mod config;
mod error;
mod field;
mod filter;
pub mod gen_ai;
mod layer;
mod logs;
pub mod metrics;
pub mod redact;
mod start;
pub mod trace_context;
mod traces;

#[cfg(test)]
mod test_support;

pub use config::{LogConfig, LogFormat, LogOutput, OtlpConfig, OtlpProtocol, RandomSource, TimeSource};
pub use error::TelemetryError;
pub use metrics::{HintWay, Metrics};
pub use start::{TelemetryGuard, init};
pub use trace_context::TraceContext;
