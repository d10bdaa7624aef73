//! A telemetry whose time, ids, lines and spans a test can see.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use serde_json::Value;
use tracing::Level;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::{LogConfig, LogFormat, LogOutput, OtlpConfig, RandomSource, TimeSource};
use crate::filter::EventAndSpanFilter;
use crate::layer::TelemetryLayer;
use crate::logs::Sink;
use crate::traces::{Sampler, SpanExport};

/// 2026-11-20T08:00:00.123Z, and one second later at every look.
pub(crate) fn time() -> TimeSource {
    let looks = AtomicU64::new(0);
    Arc::new(move || UNIX_EPOCH + Duration::from_millis(1_795_161_600_123 + 1_000 * looks.fetch_add(1, Ordering::Relaxed)))
}

/// 1, 2, 3, …
pub(crate) fn random() -> RandomSource {
    let draws = AtomicU64::new(1);
    Arc::new(move || draws.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn config(otlp: Option<OtlpConfig>) -> LogConfig {
    LogConfig {
        level: Level::INFO,
        format: LogFormat::Json,
        output: LogOutput::Stderr,
        is_coloured: false,
        dir: None,
        otlp,
        service_version: "1.2.3".to_owned(),
        environment: "test".to_owned(),
        now: time(),
        random: random(),
    }
}

/// What was written and exported.
#[derive(Debug, Clone, Default)]
pub(crate) struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    spans: Arc<Mutex<Vec<SpanData>>>,
}

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().expect("bytes").clone()).expect("text")
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    pub(crate) fn spans(&self) -> Vec<SpanData> {
        self.spans.lock().expect("spans").clone()
    }

    pub(crate) fn span(&self, name: &str) -> SpanData {
        self.spans().into_iter().find(|span| span.name == name).expect("a span of this name")
    }
}

impl SpanProcessor for Captured {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.spans.lock().expect("spans").push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// How a test wants its telemetry.
pub(crate) struct Setup {
    pub(crate) level: Level,
    pub(crate) format: LogFormat,
    pub(crate) is_coloured: bool,
    /// Share of exported traces; nothing is exported without one.
    pub(crate) sample_ratio: Option<f64>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { level: Level::INFO, format: LogFormat::Json, is_coloured: false, sample_ratio: None }
    }
}

impl Setup {
    pub(crate) fn exporting(sample_ratio: f64) -> Self {
        Self { sample_ratio: Some(sample_ratio), ..Self::default() }
    }

    /// Runs `action` under this telemetry, on this thread only.
    pub(crate) fn capture(self, action: impl FnOnce()) -> Captured {
        let captured = Captured::default();
        let bytes = Arc::clone(&captured.bytes);
        let output = Box::new(move |line: &[u8]| bytes.lock().expect("bytes").extend_from_slice(line));
        let layer = TelemetryLayer {
            sinks: vec![Sink::new(self.format, self.is_coloured, output)],
            export: self.sample_ratio.map(|_| SpanExport::new(Arc::new(captured.clone()), "1.2.3")),
            sampler: self.sample_ratio.map_or_else(Sampler::never, Sampler::of_ratio),
            now: time(),
            random: random(),
        };
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(EventAndSpanFilter::new(self.level)));
        tracing::subscriber::with_default(subscriber, action);
        captured
    }
}

/// Seconds between two instants of a span.
pub(crate) fn seconds(start: SystemTime, end: SystemTime) -> u64 {
    end.duration_since(start).expect("end after start").as_secs()
}
