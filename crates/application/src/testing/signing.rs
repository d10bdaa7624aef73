//! Signatures and seals that can be read, for tests of what is signed and sealed.

use std::sync::atomic::{AtomicU64, Ordering};

use crewd_domain::shared::TenantId;

use crate::ports::{KeyPurpose, SealError, SecretSealer, SigningError, WebhookSigner};

/// Signs by writing down what it signs; its secrets are `whsec_1`, `whsec_2` …
#[derive(Debug, Default)]
pub struct ReadableSigner {
    secrets: AtomicU64,
}

impl WebhookSigner for ReadableSigner {
    fn sign(&self, secrets: &[String], id: &str, timestamp_seconds: i64, body: &[u8]) -> Result<String, SigningError> {
        if secrets.is_empty() {
            return Err(SigningError::NoSecret);
        }
        let signed = |secret: &String| format!("v1,{secret}.{id}.{timestamp_seconds}.{}", body.len());
        Ok(secrets.iter().map(signed).collect::<Vec<_>>().join(" "))
    }

    fn new_secret(&self) -> String {
        format!("whsec_{}", self.secrets.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// Seals by writing the purpose and the tenant in front.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadableSealer;

impl ReadableSealer {
    fn front(purpose: KeyPurpose, tenant: &TenantId) -> String {
        format!("sealed:{}:{tenant}:", purpose.as_str())
    }
}

impl SecretSealer for ReadableSealer {
    fn seal(&self, purpose: KeyPurpose, tenant: &TenantId, plaintext: &str) -> Result<String, SealError> {
        Ok(format!("{}{plaintext}", Self::front(purpose, tenant)))
    }

    fn open(&self, purpose: KeyPurpose, tenant: &TenantId, sealed: &str) -> Result<String, SealError> {
        sealed.strip_prefix(&Self::front(purpose, tenant)).map(str::to_owned).ok_or(SealError::Refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_open_for_their_purpose_and_tenant_alone() {
        let tenant = TenantId::default_tenant();
        let sealed = ReadableSealer.seal(KeyPurpose::Cursor, &tenant, "x").expect("sealed");
        assert_eq!(ReadableSealer.open(KeyPurpose::Cursor, &tenant, &sealed).as_deref(), Ok("x"));
        assert_eq!(ReadableSealer.open(KeyPurpose::WebhookSecrets, &tenant, &sealed), Err(SealError::Refused));
    }

    #[test]
    fn signatures_tell_what_was_signed() {
        let signer = ReadableSigner::default();
        let secrets = [signer.new_secret(), signer.new_secret()];
        assert_eq!(signer.sign(&secrets, "m", 7, b"abc").as_deref(), Ok("v1,whsec_1.m.7.3 v1,whsec_2.m.7.3"));
        assert_eq!(signer.sign(&[], "m", 7, b""), Err(SigningError::NoSecret));
    }
}
