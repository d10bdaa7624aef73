//! What only this installation can sign and read.

use std::sync::Arc;

use anyhow::Context;
use crewd_application::ports::SecretSealer;
use crewd_infrastructure::security::{DerivedKeys, RootKey};
use crewd_settings::Settings;
use secrecy::ExposeSecret;

/// The file of the generated root key in the data folder.
const FILE: &str = "secret.key";

/// Seals with keys that are derived from `APP_SECRET_KEY`; without it, from a key that is made once and kept in the data
/// folder, which must exist. A database in memory leaves nothing behind, and so does its key.
pub(crate) fn sealer(settings: &Settings) -> anyhow::Result<Arc<dyn SecretSealer>> {
    let root = match &settings.security.secret_key {
        Some(key) => RootKey::from_text(key.expose_secret()).context("the key of APP_SECRET_KEY cannot be used")?,
        None if keeps_nothing(settings) => RootKey::temporary()?,
        None => RootKey::of_file(&settings.server.data_dir.join(FILE))
            .context("there is no root key (APP_SECRET_KEY is not set, so it is in the data folder, APP_DATA_DIR)")?,
    };
    Ok(Arc::new(DerivedKeys::new(&root)))
}

fn keeps_nothing(settings: &Settings) -> bool {
    settings.database.url.as_ref().is_some_and(|url| url.expose_secret().ends_with(":memory:"))
}
