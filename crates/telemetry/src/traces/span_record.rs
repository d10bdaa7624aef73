//! What is kept of a span while it is open.

use std::time::SystemTime;

use crate::field::Fields;
use crate::trace_context::TraceContext;

/// An event inside a span, kept for export.
#[derive(Debug)]
pub(crate) struct SpanEvent {
    pub(crate) time: SystemTime,
    pub(crate) level: tracing::Level,
    pub(crate) fields: Fields,
}

/// What is kept of a span while it is open; lives in the registry beside it.
#[derive(Debug)]
pub(crate) struct SpanRecord {
    pub(crate) context: TraceContext,
    /// Zero for the first span of a trace.
    pub(crate) parent_span_id: u64,
    pub(crate) is_parent_remote: bool,
    pub(crate) fields: Fields,
    /// Set only where spans are exported.
    pub(crate) start: Option<SystemTime>,
    pub(crate) events: Vec<SpanEvent>,
    pub(crate) dropped_events: u32,
}

/// More events than this make a span unreadable, and heavy to send.
const MOST_EVENTS: usize = 128;

impl SpanRecord {
    pub(crate) fn continue_from(&mut self, parent: &TraceContext) {
        self.context = TraceContext { span_id: self.context.span_id, ..*parent };
        self.parent_span_id = parent.span_id;
        self.is_parent_remote = true;
    }

    pub(crate) fn push_event(&mut self, event: SpanEvent) {
        if self.events.len() < MOST_EVENTS {
            self.events.push(event);
        } else {
            self.dropped_events = self.dropped_events.saturating_add(1);
        }
    }
}
