//! Signatures of webhooks, as Standard Webhooks 1.0 says: `v1` is the HMAC-SHA256 of `id.timestamp.body`.
//!
//! | module | what is in it |
//! |---|---|
//! | `secret` | a secret as text and as key |
//! | `signer` | the port `WebhookSigner` |
//! | `verification` | what a receiver checks |

mod secret;
mod signer;
#[cfg(test)]
mod tests;
mod verification;

pub use signer::StandardWebhooks;
pub use verification::{Rejection, TOLERANCE_SECONDS, verify};
