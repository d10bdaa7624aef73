//! Received spans, with names for what tests ask.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1 as wire;

/// One span; ids in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Name, such as `chat qwen-plus`.
    pub name: String,
    /// Trace id.
    pub trace: String,
    /// Span id.
    pub id: String,
    /// Parent's span id; empty at a root.
    pub parent: String,
    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// Attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// Linked spans: trace id and span id.
    pub links: Vec<(String, String)>,
    /// Attributes of the process that sent it.
    pub resource: BTreeMap<String, String>,
}

impl Span {
    /// An attribute; empty when it is missing.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// All spans of one trace.
#[derive(Clone, Debug)]
pub struct Trace {
    /// In order of arrival.
    pub spans: Vec<Span>,
}

impl Trace {
    /// The spans whose name starts so.
    pub fn named(&self, start: &str) -> Vec<&Span> {
        self.spans.iter().filter(|span| span.name.starts_with(start)).collect()
    }

    /// Names from the span up to the root, by parent and, across the queue, by link.
    pub fn ancestry(&self, span: &Span) -> Vec<String> {
        let mut names = vec![span.name.clone()];
        let mut at = span.clone();
        while let Some(parent) = self.spans.iter().find(|other| other.id == at.parent) {
            names.push(parent.name.clone());
            at = parent.clone();
            assert!(names.len() < 100, "a circle of parents: {names:?}");
        }
        names
    }
}

/// Flattens one export.
pub(super) fn flatten(export: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in export.resource_spans {
        let resource = attributes(group.resource.map(|resource| resource.attributes).unwrap_or_default());
        let sent = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(sent.map(|span| convert(span, resource.clone())));
    }
    spans
}

fn convert(span: wire::Span, resource: BTreeMap<String, String>) -> Span {
    Span {
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        attributes: attributes(span.attributes),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        resource,
    }
}

fn attributes(values: Vec<KeyValue>) -> BTreeMap<String, String> {
    values.into_iter().map(|pair| (pair.key, pair.value.map(|value| text(&value)).unwrap_or_default())).collect()
}

fn text(value: &AnyValue) -> String {
    match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::ArrayValue(list)) => list.values.iter().map(text).collect::<Vec<_>>().join(","),
        _ => String::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
