//! API keys from the settings.

use std::fmt;

use crewd_application::ports::{Authenticator, Caller};
use crewd_domain::shared::TenantId;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

/// How many hexadecimal digits of a key's hash make its public name.
const NAME_DIGITS: usize = 8;

/// The accepted keys with their tenants, as SHA-256 hashes: the keys themselves are not kept.
#[derive(Clone)]
pub struct ApiKeys {
    keys: Vec<KnownKey>,
    is_required: bool,
}

#[derive(Clone)]
struct KnownKey {
    hash: [u8; 32],
    name: String,
    tenant: TenantId,
}

impl ApiKeys {
    /// Takes the keys, each with its tenant; blank ones are left out, spaces around a key do not belong to it, and of a key
    /// that comes twice the first tenant stays.
    ///
    /// `always_required` is for an address that others can reach and for production: callers then need a key even
    /// where none is configured, and so nobody gets in.
    #[must_use]
    pub fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = (TenantId, K)>, always_required: bool) -> Self {
        let mut known: Vec<KnownKey> = Vec::new();
        for (tenant, key) in keys {
            let key = key.as_ref().trim();
            let hash = hash(key);
            if !key.is_empty() && known.iter().all(|other| other.hash != hash) {
                known.push(KnownKey { hash, name: public_name(&hash), tenant });
            }
        }
        Self { is_required: always_required || !known.is_empty(), keys: known }
    }
}

impl Authenticator for ApiKeys {
    fn is_required(&self) -> bool {
        self.is_required
    }

    fn authenticate(&self, key: &str) -> Option<Caller> {
        let presented = hash(key);
        // All keys are compared, whole, and the place of the match is chosen without a branch: the time taken depends
        // on the number of keys and on the length of what the caller sent, which it knows anyway.
        let mut place = u32::MAX;
        for (index, known) in (0_u32..).zip(&self.keys) {
            let is_match: Choice = presented.ct_eq(&known.hash);
            place.conditional_assign(&index, is_match);
        }
        let known = self.keys.get(usize::try_from(place).ok()?)?;
        Some(Caller { tenant: known.tenant.clone(), name: known.name.clone() })
    }
}

impl fmt::Debug for ApiKeys {
    /// Shows the public names alone: a hash of a weak key could be guessed.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        formatter.debug_struct("ApiKeys").field("keys", &names).field("is_required", &self.is_required).finish()
    }
}

fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

fn public_name(hash: &[u8; 32]) -> String {
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("key-{}", digits.chars().take(NAME_DIGITS).collect::<String>())
}

#[cfg(test)]
mod tests {
    use crewd_application::testing::security::check_authenticator;

    use super::*;

    fn keys<const N: usize>(keys: [&str; N], always_required: bool) -> ApiKeys {
        ApiKeys::new(keys.map(|key| (TenantId::default_tenant(), key)), always_required)
    }

    #[test]
    fn each_key_has_its_tenant() {
        let other = TenantId::try_from("other".to_owned()).unwrap();
        let keys = ApiKeys::new(
            [(TenantId::default_tenant(), "key-one"), (other.clone(), "key-two"), (other.clone(), "key-one")],
            false,
        );
        let tenant = |key| keys.authenticate(key).map(|caller| caller.tenant);
        assert_eq!((tenant("key-one"), tenant("key-two")), (Some(TenantId::default_tenant()), Some(other)));
        assert_eq!(tenant("other:key-two"), None, "the name of the tenant is no part of the key");
    }

    #[test]
    fn api_keys_keep_the_promises_of_the_port() {
        check_authenticator(&keys(["Secret-Key-1"], false), "Secret-Key-1");
        let many = keys(["first-Key-9", "Secret-Key-1", "last-Key-77"], true);
        for key in ["first-Key-9", "Secret-Key-1", "last-Key-77"] {
            check_authenticator(&many, key);
        }
    }

    #[test]
    fn a_name_tells_keys_apart_and_comes_from_the_hash() {
        let known = keys(["abc", "abd"], false);
        let name = |key| known.authenticate(key).map(|caller| caller.name);
        assert_eq!(name("abc").as_deref(), Some("key-ba7816bf"), "SHA-256 of `abc`, from FIPS 180-2");
        assert_ne!(name("abc"), name("abd"));
    }

    #[test]
    fn blank_and_repeated_keys_do_not_count() {
        assert!(!keys(["", "  "], false).is_required());
        let known = keys([" a-key ", "a-key"], false);
        assert_eq!(known.keys.len(), 1);
        assert!(known.authenticate("a-key").is_some());
        assert!(known.authenticate("").is_none());
    }

    #[test]
    fn without_keys_an_open_address_lets_nobody_in() {
        let known = keys([], true);
        assert!(known.is_required());
        assert!(known.authenticate("anything").is_none());
        assert!(known.authenticate("").is_none());
    }

    #[test]
    fn nothing_prints_a_key_or_its_hash() {
        let shown = format!("{:?}", keys(["abc"], false));
        assert_eq!(shown, r#"ApiKeys { keys: ["key-ba7816bf"], is_required: true }"#);
    }
}
