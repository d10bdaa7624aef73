//! Layers around a model, each a model itself. None of them retries.
//!
//! `LimitedModel` belongs outside of `ObservedModel`: then spans and durations are those of the calls, without the
//! wait for a free place. `SharedLimitModel` belongs inside of `LimitedModel`, so that few of a process ask for shared
//! places; `CachedModel` outermost: an answer that is given again takes no place and is no call.

mod cached;
#[cfg(test)]
mod cached_tests;
mod limited;
mod observed;
mod shared_limit;
#[cfg(test)]
mod tests;

pub use cached::CachedModel;
pub use limited::LimitedModel;
pub use observed::{Endpoint, ObservedModel};
pub use shared_limit::SharedLimitModel;
