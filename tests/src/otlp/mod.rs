//! A receiver of traces: OTLP over http/protobuf and over gRPC, as a collector would take them.

mod receiver;
mod spans;

pub use receiver::OtlpReceiver;
pub use spans::{Span, Trace};
