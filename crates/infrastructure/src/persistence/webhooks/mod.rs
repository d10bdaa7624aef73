//! Endpoints, and the deliveries of messages to them.
//!
//! Changes go through the writer as scripts, reads through the readers. What several processes do at once is settled
//! by what the writing statement finds: a message is turned into deliveries by whoever marks it, a delivery is claimed
//! by whoever moves its next attempt.

mod claim;
mod endpoints;
mod expand;
mod log;
mod report;
mod sea_webhooks;

#[cfg(test)]
pub(in crate::persistence) use claim::{due_deliveries, in_flight};
pub use sea_webhooks::SeaWebhooks;
