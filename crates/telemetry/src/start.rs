//! Starts telemetry, and ends it without losing anything.

use std::sync::Arc;

use opentelemetry_sdk::trace::SpanProcessor;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::LogConfig;
use crate::error::TelemetryError;
use crate::filter::EventAndSpanFilter;
use crate::layer::TelemetryLayer;
use crate::logs::{LogThread, console_sink, file_sink};
use crate::traces::{Sampler, SpanExport, otlp_processor};

/// Keeps telemetry running. Dropping it flushes the logs; [`TelemetryGuard::shutdown`] flushes the traces, too.
#[must_use = "logs end when the guard is dropped"]
pub struct TelemetryGuard {
    writers: Vec<LogThread>,
    processor: Option<Arc<dyn SpanProcessor>>,
}

impl TelemetryGuard {
    /// Sends the last spans and writes the last lines. Blocks for up to five seconds where a collector does not
    /// answer: inside a runtime, call it through `spawn_blocking`.
    pub fn shutdown(self) {
        if let Some(processor) = &self.processor
            && let Err(error) = processor.shutdown()
        {
            tracing::warn!(%error, "the last traces could not be exported");
        }
        drop(self.writers);
    }

    /// Log lines that were dropped because writing could not keep up.
    pub fn dropped_lines(&self) -> usize {
        self.writers.iter().map(LogThread::dropped).sum()
    }
}

/// Starts logs and traces for the whole process. With gRPC, call it inside the runtime.
///
/// # Errors
/// A folder of log files that cannot be written, an exporter that cannot be built, or a second start.
pub fn init(config: LogConfig) -> Result<TelemetryGuard, TelemetryError> {
    let (layer, guard) = build(&config)?;
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(EventAndSpanFilter::new(config.level)));
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::AlreadyStarted)?;
    Ok(guard)
}

pub(crate) fn build(config: &LogConfig) -> Result<(TelemetryLayer, TelemetryGuard), TelemetryError> {
    let mut sinks = vec![console_sink(config.format, config.is_coloured, config.output)?];
    if let Some(folder) = &config.dir {
        sinks.push(file_sink(folder)?);
    }
    let mut guard = TelemetryGuard { writers: Vec::new(), processor: None };
    let mut layer = TelemetryLayer {
        sinks: Vec::new(),
        export: None,
        sampler: Sampler::never(),
        now: Arc::clone(&config.now),
        random: Arc::clone(&config.random),
    };
    for background in sinks {
        layer.sinks.push(background.sink);
        guard.writers.push(background.thread);
    }
    if let Some(otlp) = &config.otlp {
        let processor: Arc<dyn SpanProcessor> = Arc::new(otlp_processor(config, otlp)?);
        layer.export = Some(SpanExport::new(Arc::clone(&processor), &config.service_version));
        layer.sampler = Sampler::of_ratio(otlp.sample_ratio);
        guard.processor = Some(processor);
    }
    Ok((layer, guard))
}
