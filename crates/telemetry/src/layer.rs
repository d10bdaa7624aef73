//! The one layer behind all of `tracing`: gives spans their ids, keeps their fields, writes lines, exports spans.

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::config::{RandomSource, TimeSource};
use crate::field::Fields;
use crate::logs::{Line, Sink};
use crate::trace_context::TraceContext;
use crate::traces::{Sampler, SpanEvent, SpanExport, SpanRecord};

/// See the module.
pub(crate) struct TelemetryLayer {
    pub(crate) sinks: Vec<Sink>,
    pub(crate) export: Option<SpanExport>,
    pub(crate) sampler: Sampler,
    pub(crate) now: TimeSource,
    pub(crate) random: RandomSource,
}

impl TelemetryLayer {
    fn record_of_child(&self, parent: &SpanRecord) -> SpanRecord {
        let context = TraceContext { span_id: self.span_id(), ..parent.context };
        self.record(context, parent.context.span_id)
    }

    fn record_of_root(&self) -> SpanRecord {
        let trace_id = (u128::from(self.span_id()) << 64) | u128::from((self.random)());
        let context = TraceContext { trace_id, span_id: self.span_id(), sampled: self.sampler.samples(trace_id) };
        self.record(context, 0)
    }

    fn record(&self, context: TraceContext, parent_span_id: u64) -> SpanRecord {
        let start = self.export.is_some().then(|| (self.now)());
        SpanRecord {
            context,
            parent_span_id,
            is_parent_remote: false,
            fields: Fields::default(),
            start,
            events: Vec::new(),
            dropped_events: 0,
        }
    }

    /// A random id that is not zero, which would mean none.
    fn span_id(&self) -> u64 {
        (self.random)().max(1)
    }
}

impl<S> Layer<S> for TelemetryLayer
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let parent = match attributes.parent() {
            Some(parent) => context.span(parent),
            None if attributes.is_contextual() => context.lookup_current(),
            None => None,
        };
        let inherited =
            parent.and_then(|parent| parent.extensions().get::<SpanRecord>().map(|record| self.record_of_child(record)));
        let mut record = inherited.unwrap_or_else(|| self.record_of_root());
        record.fields = Fields::with_capacity(attributes.values().len());
        attributes.record(&mut record.fields);
        span.extensions_mut().insert(record);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(record) = span.extensions_mut().get_mut::<SpanRecord>() {
            values.record(&mut record.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let time = (self.now)();
        let mut fields = Fields::with_capacity(event.metadata().fields().len());
        event.record(&mut fields);
        let scope: Vec<_> = context.event_scope(event).into_iter().flatten().collect();
        if !self.sinks.is_empty() {
            let extensions: Vec<_> = scope.iter().map(|span| span.extensions()).collect();
            let records: Vec<&SpanRecord> = extensions.iter().filter_map(|extensions| extensions.get()).collect();
            let line = Line { time, metadata: event.metadata(), fields: &fields, records: &records };
            for sink in &self.sinks {
                sink.write(&line);
            }
        }
        let Some(span) = scope.first().filter(|_| self.export.is_some()) else { return };
        if let Some(record) = span.extensions_mut().get_mut::<SpanRecord>().filter(|record| record.context.sampled) {
            record.push_event(SpanEvent { time, level: *event.metadata().level(), fields });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(export) = &self.export else { return };
        let Some(span) = context.span(&id) else { return };
        let record = span.extensions_mut().remove::<SpanRecord>();
        if let Some(record) = record.filter(|record| record.context.sampled) {
            export.finish(span.metadata().name(), record, (self.now)());
        }
    }
}
