//! The port `WebhookSigner`.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crewd_application::ports::{SigningError, WebhookSigner};

use super::secret;

/// The version of signatures with a shared secret.
pub(super) const VERSION: &str = "v1";

/// Signs as Standard Webhooks 1.0 says.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardWebhooks;

impl WebhookSigner for StandardWebhooks {
    fn sign(&self, secrets: &[String], id: &str, timestamp_seconds: i64, body: &[u8]) -> Result<String, SigningError> {
        if secrets.is_empty() {
            return Err(SigningError::NoSecret);
        }
        if id.is_empty() || id.contains('.') {
            return Err(SigningError::InvalidId);
        }
        let mut signatures = Vec::with_capacity(secrets.len());
        for secret in secrets {
            let key = secret::key(secret).ok_or(SigningError::InvalidSecret)?;
            let tag = hmac::sign(&key, &signed_content(id, timestamp_seconds, body));
            signatures.push(format!("{VERSION},{}", STANDARD.encode(tag)));
        }
        Ok(signatures.join(" "))
    }

    fn new_secret(&self) -> String {
        secret::fresh()
    }
}

pub(super) fn signed_content(id: &str, timestamp_seconds: i64, body: &[u8]) -> Vec<u8> {
    let mut content = format!("{id}.{timestamp_seconds}.").into_bytes();
    content.extend_from_slice(body);
    content
}
