//! One JSON object per line.

use serde::Serialize;

use super::line::Line;
use crate::field::FieldValue;

/// Names of the line itself; a field of the same name is written as `field.<name>`.
const RESERVED: &[&str] = &["timestamp", "level", "target", "message", "trace_id", "span_id"];

/// Appends the line, its end included.
pub(crate) fn write(line: &Line<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"timestamp\":\"");
    out.extend_from_slice(line.timestamp().as_bytes());
    out.extend_from_slice(b"\",\"level\":\"");
    out.extend_from_slice(line.metadata.level().as_str().as_bytes());
    out.extend_from_slice(b"\",\"target\":");
    json(out, line.metadata.target());
    out.extend_from_slice(b",\"message\":");
    json(out, line.message());
    if let Some(record) = line.innermost() {
        out.extend_from_slice(b",\"trace_id\":\"");
        out.extend_from_slice(record.context.trace_id_text().as_bytes());
        out.extend_from_slice(b"\",\"span_id\":\"");
        out.extend_from_slice(record.context.span_id_text().as_bytes());
        out.push(b'"');
    }
    for (name, value) in line.all_fields() {
        out.push(b',');
        if RESERVED.contains(&name) {
            json(out, &format!("field.{name}"));
        } else {
            json(out, name);
        }
        out.push(b':');
        match value {
            FieldValue::Text(text) => json(out, text.as_str()),
            FieldValue::Integer(number) => json(out, number),
            FieldValue::Unsigned(number) => json(out, number),
            FieldValue::Float(number) => json(out, number),
            FieldValue::Bool(truth) => json(out, truth),
        }
    }
    out.extend_from_slice(b"}\n");
}

fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing texts and numbers into memory cannot fail.
    let _ = serde_json::to_writer(out, value);
}
