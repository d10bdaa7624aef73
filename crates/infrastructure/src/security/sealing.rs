//! One key for each purpose, and values sealed with it.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crewd_application::ports::{KeyPurpose, SealError, SecretSealer};
use crewd_domain::shared::TenantId;

use super::root_key::RootKey;

/// Part of every derivation: a root key that is used elsewhere, too, gives other keys there.
const SALT: &[u8] = b"crewd derived keys 1";
/// What a sealed value begins with: how it was made.
const VERSION: &str = "s1.";

/// Keys derived from the root key: HKDF-SHA256 with the purpose's name, then AES-256-GCM with the tenant as context. A
/// value sealed for one purpose or tenant does not open for another.
#[derive(Clone)]
pub struct DerivedKeys {
    root: Prk,
}

impl DerivedKeys {
    /// The keys under this root.
    #[must_use]
    pub fn new(root: &RootKey) -> Self {
        Self { root: Salt::new(HKDF_SHA256, SALT).extract(root.bytes()) }
    }

    fn key(&self, purpose: KeyPurpose) -> Option<RandomizedNonceKey> {
        let info = [purpose.as_str().as_bytes()];
        let mut bytes = [0_u8; 32];
        self.root.expand(&info, HKDF_SHA256).ok()?.fill(&mut bytes).ok()?;
        RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()
    }
}

impl SecretSealer for DerivedKeys {
    fn seal(&self, purpose: KeyPurpose, tenant: &TenantId, plaintext: &str) -> Result<String, SealError> {
        let key = self.key(purpose).ok_or(SealError::Failed)?;
        let mut sealed = plaintext.as_bytes().to_vec();
        let context = Aad::from(tenant.as_str().as_bytes());
        let nonce = key.seal_in_place_append_tag(context, &mut sealed).map_err(|_| SealError::Failed)?;
        sealed.splice(0..0, *nonce.as_ref());
        Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(sealed)))
    }

    fn open(&self, purpose: KeyPurpose, tenant: &TenantId, sealed: &str) -> Result<String, SealError> {
        let plaintext = || {
            let mut bytes = URL_SAFE_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
            let (nonce, content) = bytes.split_at_mut_checked(NONCE_LEN)?;
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let context = Aad::from(tenant.as_str().as_bytes());
            let opened = self.key(purpose)?.open_in_place(nonce, context, content).ok()?;
            String::from_utf8(opened.to_vec()).ok()
        };
        plaintext().ok_or(SealError::Refused)
    }
}

impl fmt::Debug for DerivedKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DerivedKeys(********)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn keys(root: &str) -> DerivedKeys {
        DerivedKeys::new(&RootKey::from_text(root).expect("a root key"))
    }

    fn tenant(id: &str) -> TenantId {
        TenantId::try_from(id.to_owned()).expect("an id")
    }

    #[test]
    fn what_was_sealed_opens_for_the_same_purpose_tenant_and_root() {
        let keys = keys(&"k".repeat(32));
        for text in ["", "x", TEXT, "秘密", &"long ".repeat(10_000)] {
            let sealed = keys.seal(KeyPurpose::WebhookSecrets, &tenant("one"), text).expect("sealed");
            assert!(text.len() < 5 || !sealed.contains(text));
            assert_eq!(keys.open(KeyPurpose::WebhookSecrets, &tenant("one"), &sealed).as_deref(), Ok(text));
        }
        let again = || keys.seal(KeyPurpose::Cursor, &tenant("one"), TEXT).expect("sealed");
        assert_ne!(again(), again(), "equal texts cannot be told from outside");
    }

    #[test]
    fn nothing_else_opens_it() {
        let mine = keys(&"k".repeat(32));
        let sealed = mine.seal(KeyPurpose::WebhookSecrets, &tenant("one"), TEXT).expect("sealed");
        let refused = Err(SealError::Refused);
        assert_eq!(mine.open(KeyPurpose::Cursor, &tenant("one"), &sealed), refused);
        assert_eq!(mine.open(KeyPurpose::WebhookSecrets, &tenant("two"), &sealed), refused);
        assert_eq!(keys(&"j".repeat(32)).open(KeyPurpose::WebhookSecrets, &tenant("one"), &sealed), refused);
    }

    #[test]
    fn changed_texts_are_refused() {
        let keys = keys(&"k".repeat(32));
        let sealed = keys.seal(KeyPurpose::Cursor, &tenant("one"), TEXT).expect("sealed");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(keys.open(KeyPurpose::Cursor, &tenant("one"), &changed), Err(SealError::Refused), "{at}");
            assert_eq!(keys.open(KeyPurpose::Cursor, &tenant("one"), &sealed[..at]), Err(SealError::Refused), "{at}");
        }
        for nonsense in ["s1.", "s2.AAAA", "AAAA", "s1.!!", &format!("{sealed}A"), TEXT] {
            assert_eq!(keys.open(KeyPurpose::Cursor, &tenant("one"), nonsense), Err(SealError::Refused), "{nonsense}");
        }
    }

    #[test]
    fn keys_are_the_same_after_a_restart() {
        // Sealed by another implementation of the same rules: a change of them would lose what installations sealed.
        let sealed = "s1.AAECAwQFBgcICQoLLilUU9-w8wV8UusEkCCDgQ2MX-HTXGSSvR0RkkE3dZYVn4-AzSRF25391Quyf7Z7ytZI5DAM";
        assert_eq!(keys(&"k".repeat(32)).open(KeyPurpose::WebhookSecrets, &tenant("one"), sealed).as_deref(), Ok(TEXT));
        assert_eq!(format!("{:?}", keys(&"k".repeat(32))), "DerivedKeys(********)");
    }
}
