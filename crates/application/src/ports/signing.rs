//! Signatures of webhooks, and texts that only this installation can read.

use crewd_domain::shared::TenantId;
use thiserror::Error;

/// Why nothing was signed. Never names the secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SigningError {
    /// A secret is not `whsec_` and the Base64 of 24 to 64 bytes.
    #[error("a webhook secret is not `whsec_` and the Base64 of 24 to 64 bytes")]
    InvalidSecret,
    /// There is no secret to sign with.
    #[error("there is no secret to sign with")]
    NoSecret,
    /// The id holds a dot or is empty, so that the signed text could be read in two ways.
    #[error("the id of a message is empty or holds a dot")]
    InvalidId,
}

/// Signs webhooks as Standard Webhooks 1.0 says.
pub trait WebhookSigner: Send + Sync {
    /// The value of the header `webhook-signature`: one `v1,…` for each secret, in their order, with blanks between.
    /// While secrets rotate there are two; a receiver accepts a message if one of them is right.
    ///
    /// `id` and `timestamp_seconds` are those of the headers `webhook-id` and `webhook-timestamp`.
    ///
    /// # Errors
    /// See [`SigningError`].
    fn sign(&self, secrets: &[String], id: &str, timestamp_seconds: i64, body: &[u8]) -> Result<String, SigningError>;

    /// A fresh secret of 32 random bytes, as `whsec_…`.
    fn new_secret(&self) -> String;
}

/// What a sealed text is for. Each purpose has its own key: a text sealed for one is refused for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyPurpose {
    /// Secrets that webhooks are signed with.
    WebhookSecrets,
    /// Cursors of lists that clients hold.
    Cursor,
}

impl KeyPurpose {
    /// The name that the key is derived with. It never changes: sealed texts would be lost.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebhookSecrets => "webhook-secrets",
            Self::Cursor => "cursor",
        }
    }
}

/// Why a text was not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// It was changed, or sealed for another purpose, another tenant, or by an installation with another key.
    #[error("a sealed value cannot be opened: it was changed, or sealed with another APP_SECRET_KEY")]
    Refused,
    /// The text could not be sealed.
    #[error("a value cannot be sealed")]
    Failed,
}

/// Seals texts that are kept outside of the process, so that they can neither be read nor changed there.
pub trait SecretSealer: Send + Sync {
    /// Seals a text. The same text gives another result each time.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    fn seal(&self, purpose: KeyPurpose, tenant: &TenantId, plaintext: &str) -> Result<String, SealError>;

    /// Opens what [`Self::seal`] made for the same purpose and tenant.
    ///
    /// # Errors
    /// [`SealError::Refused`].
    fn open(&self, purpose: KeyPurpose, tenant: &TenantId, sealed: &str) -> Result<String, SealError>;
}
