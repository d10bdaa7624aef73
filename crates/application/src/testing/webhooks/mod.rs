//! What every database must keep to: the contract suite of [`WebhookStore`](crate::ports::WebhookStore), and of what
//! [`Store`](crate::ports::Store) puts into the outbox.

mod attempts;
mod endpoints;
mod harness;
mod limits;
mod log;
mod messages;
mod suite;

pub use harness::WebhookHarness;
pub use suite::run_suite;
