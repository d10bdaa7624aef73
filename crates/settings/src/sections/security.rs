//! Secrets of the installation itself.

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
    pub api_keys: Vec<SecretString>,
}

impl SecuritySettings {
    pub(crate) fn read(reader: &mut Reader) -> Self {
        Self {
            secret_key: reader.secret("security.secret_key"),
            api_keys: reader.list("security.api_keys").into_iter().map(SecretString::from).collect(),
        }
    }
}
