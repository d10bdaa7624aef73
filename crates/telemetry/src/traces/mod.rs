//! Spans: their identity, what is kept of them, and their way to a collector.
//!
//! Every span of this program gets its ids when it is made, from the injected random source, whether traces are
//! exported or not: logs carry the ids either way, and a `traceparent` can be continued and passed on. Exporting is
//! an addition at the end of a span. This is cheaper than a second span model beside `tracing`'s, lets a parent be
//! set at any time before the first child, and redacts what is exported.

mod export;
mod exporter;
mod sampling;
mod span_record;

#[cfg(test)]
mod span_tests;
#[cfg(test)]
mod wire_tests;

pub(crate) use export::SpanExport;
pub(crate) use exporter::otlp_processor;
pub(crate) use sampling::Sampler;
pub(crate) use span_record::{SpanEvent, SpanRecord};
