//! Who is told of events, and when it is tried again.

mod endpoint;
mod retry;

pub use endpoint::{DeliveryStatus, Payload, WebhookEndpoint, WebhookEvent};
pub use retry::{Answered, MAX_ATTEMPTS, NextAttempt, next_attempt};
