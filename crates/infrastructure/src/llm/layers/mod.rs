//! Layers around a model, each a model itself. None of them retries.
//!
//! `LimitedModel` belongs outside of `ObservedModel`: then spans and durations are those of the calls, without the
//! wait for a free place.

mod limited;
mod observed;
#[cfg(test)]
mod tests;

pub use limited::LimitedModel;
pub use observed::{Endpoint, ObservedModel};
