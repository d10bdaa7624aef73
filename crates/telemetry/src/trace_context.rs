//! The identity of a span as it travels between processes, in the W3C `traceparent` form.

use std::fmt;

use tracing::{Dispatch, Span, span};
use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use crate::traces::SpanRecord;

/// Which trace and span something belongs to. Ids are never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The same for everything that follows from one request.
    pub trace_id: u128,
    /// The span itself.
    pub span_id: u64,
    /// Whether the trace is recorded by those who export traces.
    pub sampled: bool,
}

impl TraceContext {
    /// Reads a `traceparent` header. Anything that breaks the standard is nothing: a broken header starts a new trace.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '-');
        let version = hex(parts.next()?, 2)?;
        let trace_id = hex(parts.next()?, 32)?;
        let span_id = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = hex(parts.next()?, 2)?;
        // Version 255 is forbidden; version 0 has nothing behind the flags, later ones may.
        let is_well_formed = version != 0xff && (version != 0 || parts.next().is_none());
        (is_well_formed && trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }

    /// The `traceparent` header.
    pub fn to_traceparent(self) -> String {
        self.to_string()
    }

    /// The trace id as it stands in logs and headers: 32 hexadecimal digits.
    pub fn trace_id_text(self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The span id as it stands in logs and headers: 16 hexadecimal digits.
    pub fn span_id_text(self) -> String {
        format!("{:016x}", self.span_id)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// Exactly `digits` lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_lower_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if text.len() != digits || !is_lower_hex {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

/// Makes a span continue a trace that began elsewhere: another process, or an earlier run of this one. To be called
/// before the span has children, as they take its trace when they are made.
pub fn set_parent(span: &Span, parent: &TraceContext) {
    span.with_subscriber(|(id, dispatch)| {
        with_record(id, dispatch, |record| record.continue_from(parent));
    });
}

/// The identity of a span, or nothing when it is switched off or no telemetry runs.
pub fn context_of(span: &Span) -> Option<TraceContext> {
    span.with_subscriber(|(id, dispatch)| with_record(id, dispatch, |record| record.context)).flatten()
}

/// The identity of the span the caller runs in.
pub fn current() -> Option<TraceContext> {
    context_of(&Span::current())
}

fn with_record<T>(id: &span::Id, dispatch: &Dispatch, action: impl FnOnce(&mut SpanRecord) -> T) -> Option<T> {
    let registry = dispatch.downcast_ref::<Registry>()?;
    let span = registry.span(id)?;
    let mut extensions = span.extensions_mut();
    extensions.get_mut::<SpanRecord>().map(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_is_read_and_written_back() {
        let context = TraceContext::parse(HEADER).expect("a context");
        assert_eq!(context.trace_id_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id_text(), "00f067aa0ba902b7");
        assert!(context.sampled);
        assert_eq!(context.to_traceparent(), HEADER);
        let unsampled = HEADER.replace("-01", "-00");
        assert_eq!(TraceContext::parse(&unsampled).map(TraceContext::to_traceparent), Some(unsampled));
    }

    #[test]
    fn unknown_flags_and_later_versions_are_read() {
        assert!(TraceContext::parse(&HEADER.replace("-01", "-03")).is_some_and(|context| context.sampled));
        assert!(TraceContext::parse(&HEADER.replace("-01", "-02")).is_some_and(|context| !context.sampled));
        assert!(TraceContext::parse(&format!("01{}", &HEADER[2..])).is_some());
        assert!(TraceContext::parse(&format!("cc{}-more-to-come", &HEADER[2..])).is_some());
    }

    #[test]
    fn what_breaks_the_standard_is_nothing() {
        for wrong in [
            "",
            "00",
            "garbage",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-字f067aa0ba902b-01",
        ] {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn without_telemetry_there_is_no_context() {
        assert_eq!(current(), None);
        assert_eq!(context_of(&Span::none()), None);
        set_parent(&Span::none(), &TraceContext { trace_id: 1, span_id: 1, sampled: true });
    }
}
