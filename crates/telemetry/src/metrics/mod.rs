//! Every metric: declared once with help, unit and labels, kept in a registry of its own, written in Prometheus' text
//! form. No ids and no raw paths are labels; names that users choose are bounded in number.

mod declaration;
mod encode;
mod label_guard;
mod observations;

#[cfg(test)]
mod tests;

pub use declaration::Metrics;
pub use observations::{HintWay, LlmCall};
