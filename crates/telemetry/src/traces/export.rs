//! A finished span in OpenTelemetry's terms.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks, SpanProcessor};
use tracing::Level;

use super::span_record::{SpanEvent, SpanRecord};
use crate::field::{FieldValue, Fields};

/// Attributes that the conventions define as lists; recorded as comma separated texts.
const LIST_ATTRIBUTES: &[&str] = &["gen_ai.response.finish_reasons", "gen_ai.request.stop_sequences"];

/// Sends finished spans on their way.
#[derive(Clone)]
pub(crate) struct SpanExport {
    processor: Arc<dyn SpanProcessor>,
    scope: InstrumentationScope,
}

impl SpanExport {
    pub(crate) fn new(processor: Arc<dyn SpanProcessor>, version: &str) -> Self {
        let scope = InstrumentationScope::builder("crewd").with_version(version.to_owned()).build();
        Self { processor, scope }
    }

    /// Hands a finished span to the batch; never waits.
    pub(crate) fn finish(&self, name: &'static str, record: SpanRecord, end: SystemTime) {
        self.processor.on_end(self.data(name, record, end));
    }

    fn data(&self, name: &'static str, record: SpanRecord, end: SystemTime) -> SpanData {
        let status = status(&record);
        let mut events = SpanEvents::default();
        events.events = record.events.into_iter().map(event).collect();
        events.dropped_count = record.dropped_events;
        let name = record.fields.text("otel.name").map_or(Cow::Borrowed(name), |name| Cow::Owned(name.to_owned()));
        SpanData {
            span_context: SpanContext::new(
                TraceId::from(record.context.trace_id),
                SpanId::from(record.context.span_id),
                TraceFlags::SAMPLED,
                false,
                TraceState::default(),
            ),
            parent_span_id: SpanId::from(record.parent_span_id),
            parent_span_is_remote: record.is_parent_remote,
            span_kind: kind(record.fields.text("otel.kind")),
            name,
            start_time: record.start.unwrap_or(end),
            end_time: end,
            attributes: attributes(&record.fields),
            dropped_attributes_count: 0,
            events,
            links: SpanLinks::default(),
            status,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn kind(word: Option<&str>) -> SpanKind {
    match word {
        Some("server") => SpanKind::Server,
        Some("client") => SpanKind::Client,
        Some("producer") => SpanKind::Producer,
        Some("consumer") => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

/// Failed when it says so, when it has an `error.type`, or when an error was logged inside.
fn status(record: &SpanRecord) -> Status {
    let description = || record.fields.text("otel.status_description").unwrap_or_default().to_owned();
    let is_failed = record.fields.get("error.type").is_some() || record.events.iter().any(|event| event.level == Level::ERROR);
    match record.fields.text("otel.status_code") {
        Some(code) if code.eq_ignore_ascii_case("error") => Status::error(description()),
        Some(code) if code.eq_ignore_ascii_case("ok") => Status::Ok,
        _ if is_failed => Status::error(description()),
        _ => Status::Unset,
    }
}

fn event(event: SpanEvent) -> Event {
    let name = event.fields.text("message").unwrap_or("event").to_owned();
    let mut list = attributes(&event.fields);
    list.retain(|attribute| attribute.key.as_str() != "message");
    list.push(KeyValue::new("level", event.level.as_str()));
    Event::new(name, event.time, list, 0)
}

fn attributes(fields: &Fields) -> Vec<KeyValue> {
    fields
        .iter()
        .filter(|(name, _)| !name.starts_with("otel."))
        .map(|(name, value)| KeyValue::new(name, attribute(name, value)))
        .collect()
}

fn attribute(name: &str, value: &FieldValue) -> Value {
    match value {
        FieldValue::Text(text) if LIST_ATTRIBUTES.contains(&name) => {
            Value::Array(Array::String(text.split(',').map(|item| StringValue::from(item.trim().to_owned())).collect()))
        }
        FieldValue::Text(text) => Value::from(text.clone()),
        FieldValue::Integer(number) => Value::from(*number),
        // The wire knows signed numbers only; what does not fit is shown as text rather than wrong.
        FieldValue::Unsigned(number) => i64::try_from(*number).map_or_else(|_| Value::from(number.to_string()), Value::from),
        FieldValue::Float(number) => Value::from(*number),
        FieldValue::Bool(truth) => Value::from(*truth),
    }
}
