//! One event with everything around it, before it gets a form.

use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::Metadata;

use crate::field::{FieldValue, Fields};
use crate::traces::SpanRecord;

/// One event with everything around it.
pub(crate) struct Line<'a> {
    pub(crate) time: SystemTime,
    pub(crate) metadata: &'a Metadata<'static>,
    pub(crate) fields: &'a Fields,
    /// The spans around the event, innermost first.
    pub(crate) records: &'a [&'a SpanRecord],
}

impl<'a> Line<'a> {
    /// The time in UTC to the millisecond.
    pub(crate) fn timestamp(&self) -> String {
        DateTime::<Utc>::from(self.time).to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    pub(crate) fn message(&self) -> &'a str {
        self.fields.text("message").unwrap_or_default()
    }

    /// The innermost span's record, for the ids of the line.
    pub(crate) fn innermost(&self) -> Option<&'a SpanRecord> {
        self.records.first().copied()
    }

    /// Fields of the event, then of the spans from the inside out; of equal names the first one counts.
    pub(crate) fn all_fields(&self) -> Vec<(&'static str, &'a FieldValue)> {
        let mut all: Vec<(&'static str, &FieldValue)> = Vec::with_capacity(24);
        let spans = self.records.iter().flat_map(|record| record.fields.iter());
        for (name, value) in self.fields.iter().chain(spans) {
            let is_internal = name == "message" || name.starts_with("otel.");
            if !is_internal && !all.iter().any(|(known, _)| *known == name) {
                all.push((name, value));
            }
        }
        all
    }
}
