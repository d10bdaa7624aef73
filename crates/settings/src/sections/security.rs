//! Secrets of the installation itself.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::reader::Reader;
use crate::variable::Variable;

pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("security.secret_key", "APP_SECRET_KEY").secret(),
    Variable::new("security.api_keys", "APP_API_KEYS").secret(),
];

/// The `security` section.
#[derive(Debug, Clone)]
pub struct SecuritySettings {
    /// Root of derived keys; production needs one, elsewhere one may be generated.
    pub secret_key: Option<SecretString>,
    /// Accepted API keys; none means that development needs no key.
    pub api_keys: Vec<ApiKeySetting>,
}

/// A key and whose it is: `key` or `tenant:key`.
#[derive(Debug, Clone)]
pub struct ApiKeySetting {
    /// The tenant; `None` for the default one.
    pub tenant: Option<String>,
    /// The key.
    pub key: SecretString,
}

impl SecuritySettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        Self { secret_key: reader.secret("security.secret_key"), api_keys: read_keys(reader) }
    }
}

fn read_keys(reader: &mut Reader) -> Vec<ApiKeySetting> {
    const KEY: &str = "security.api_keys";
    let mut owners: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut keys = Vec::new();
    let mut is_wrong = false;
    for entry in reader.list(KEY) {
        let (tenant, key) = match entry.split_once(':') {
            None => (None, entry.as_str()),
            Some((tenant, key)) => (Some(tenant.trim().to_owned()), key.trim()),
        };
        is_wrong |= key.is_empty() || tenant.as_deref().is_some_and(|tenant| !is_tenant(tenant));
        is_wrong |= owners.insert(key.to_owned(), tenant.clone()).is_some_and(|other| other != tenant);
        keys.push(ApiKeySetting { tenant, key: SecretString::from(key) });
    }
    if is_wrong {
        let expected =
            "a list of key or tenant:key; a tenant has 1 to 36 characters out of a-z, 0-9, - and _, and a key one tenant";
        reader.reject_value(KEY, expected);
    }
    keys
}

fn is_tenant(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=36).contains(&text.len()) && text.chars().all(allowed)
}
