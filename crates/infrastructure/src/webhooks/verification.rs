//! What a receiver checks.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use thiserror::Error;

use super::secret;
use super::signer::{VERSION, signed_content};

/// How far a message's time may be from the receiver's, both ways: 5 minutes.
pub const TOLERANCE_SECONDS: u64 = 300;

/// Why a message is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// The time in the message is no number, or too far from the receiver's.
    #[error("the message is too old, or from the future")]
    Timestamp,
    /// No signature fits the message and the secret.
    #[error("no signature fits")]
    Signature,
    /// The receiver's secret has not the form of one.
    #[error("the secret is none")]
    Secret,
}

/// Checks a message by the values of its headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. Whether the
/// id was seen before is the receiver's to know.
///
/// # Errors
/// See [`Rejection`].
pub fn verify(
    secret: &str,
    (id, timestamp, signatures): (&str, &str, &str),
    body: &[u8],
    now_seconds: i64,
) -> Result<(), Rejection> {
    let key = secret::key(secret).ok_or(Rejection::Secret)?;
    let seconds: i64 = timestamp.parse().map_err(|_| Rejection::Timestamp)?;
    if seconds.abs_diff(now_seconds) > TOLERANCE_SECONDS {
        return Err(Rejection::Timestamp);
    }
    let content = signed_content(id, seconds, body);
    let fits = |signature: &str| {
        let encoded = signature.strip_prefix(VERSION).and_then(|rest| rest.strip_prefix(','));
        let tag = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
        // Compared in constant time.
        tag.is_some_and(|tag| hmac::verify(&key, &content, &tag).is_ok())
    };
    if signatures.split(' ').any(fits) { Ok(()) } else { Err(Rejection::Signature) }
}
