//! Hints between processes: work is queued, a log has grown, an order waits. Ids and numbers only; the database has
//! the rest. Whoever misses a hint finds the same in the database a moment later.
//!
//! [`Hints`] is where the parts of a process leave what they have to tell; it never blocks and never grows beyond a
//! bound. [`HintExchange`] takes it from there to the other processes over a [`HintTransport`], and gives what it
//! hears to the [`HintReceiver`]. The ports of the process are wrapped by [`SharedSignal`], [`SharedEventStream`] and
//! [`SharedOrders`].

mod exchange;
mod outgoing;
mod receiver;
mod shared;
#[cfg(test)]
pub(crate) mod tests;
mod transport;
pub(crate) mod wire;

pub use exchange::{HintDuties, HintExchange};
pub use outgoing::{HintBatch, Hints};
pub use receiver::HintReceiver;
pub use shared::{SharedEventStream, SharedOrders, SharedSignal};
pub use transport::{Carried, HintTransport, TransportError};
