//! Builds the batching exporter, and tells in the logs when the collector cannot be reached.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::KeyValue;
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanProcessor};

use crate::config::{LogConfig, OtlpConfig, OtlpProtocol};
use crate::error::TelemetryError;

/// Spans that may wait for the collector; beyond that they are dropped rather than held in memory.
const QUEUE_SPANS: usize = 16_384;

/// The path of traces over HTTP.
const TRACES_PATH: &str = "/v1/traces";

/// The processor that sends finished spans in batches, from a thread of its own.
pub(crate) fn otlp_processor(config: &LogConfig, otlp: &OtlpConfig) -> Result<BatchSpanProcessor, TelemetryError> {
    let exporter = ReportingExporter { inner: exporter(otlp)?, is_failing: AtomicBool::new(false) };
    let batches = BatchConfigBuilder::default().with_max_queue_size(QUEUE_SPANS).build();
    let mut processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
    let resource = Resource::builder()
        .with_service_name("crewd")
        .with_attributes([
            KeyValue::new("service.version", config.service_version.clone()),
            KeyValue::new("deployment.environment.name", config.environment.clone()),
        ])
        .build();
    processor.set_resource(&resource);
    Ok(processor)
}

fn exporter(otlp: &OtlpConfig) -> Result<SpanExporter, TelemetryError> {
    let built = match otlp.protocol {
        OtlpProtocol::HttpProtobuf => SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(http_endpoint(&otlp.endpoint))
            .with_headers(otlp.headers.iter().cloned().collect::<HashMap<_, _>>())
            .build(),
        OtlpProtocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_protocol(Protocol::Grpc)
            .with_endpoint(otlp.endpoint.clone())
            .with_metadata(MetadataMap::from_headers(header_map(&otlp.headers)?))
            .build(),
    };
    built.map_err(|error| TelemetryError::Exporter(error.to_string()))
}

fn http_endpoint(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with(TRACES_PATH) { base.to_owned() } else { format!("{base}{TRACES_PATH}") }
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, TelemetryError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let wrong = |_| TelemetryError::Exporter(format!("the header {name} cannot be sent"));
        let header = HeaderName::try_from(name.as_str()).map_err(|_| wrong(()))?;
        let mut text = HeaderValue::try_from(value.as_str()).map_err(|_| wrong(()))?;
        text.set_sensitive(true);
        map.insert(header, text);
    }
    Ok(map)
}

/// Tells once when exporting begins to fail and once when it works again.
#[derive(Debug)]
struct ReportingExporter {
    inner: SpanExporter,
    is_failing: AtomicBool,
}

impl opentelemetry_sdk::trace::SpanExporter for ReportingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = opentelemetry_sdk::trace::SpanExporter::export(&self.inner, batch).await;
        let was_failing = self.is_failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !was_failing => tracing::warn!(%error, "traces cannot be exported"),
            Ok(()) if was_failing => tracing::info!("traces are exported again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_added_once() {
        for endpoint in ["http://h:4318", "http://h:4318/", "http://h:4318/v1/traces", "http://h:4318/v1/traces/"] {
            assert_eq!(http_endpoint(endpoint), "http://h:4318/v1/traces");
        }
        assert_eq!(http_endpoint("https://h/api/public/otel"), "https://h/api/public/otel/v1/traces");
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_refused_by_name() {
        let headers = [("authorization".to_owned(), "line\nbreak".to_owned())];
        let error = header_map(&headers).expect_err("a wrong header").to_string();
        assert_eq!(error, "traces cannot be exported: the header authorization cannot be sent");
    }
}
