//! Which certificates are trusted.

use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls_platform_verifier::BuilderVerifierExt;

/// How TLS is spoken; what the system trusts is read on the first use, because that takes time.
#[derive(Default)]
pub(super) struct Trust {
    config: OnceLock<Arc<ClientConfig>>,
}

impl Trust {
    #[cfg(test)]
    pub(super) fn of(config: ClientConfig) -> Self {
        Self { config: OnceLock::from(Arc::new(config)) }
    }

    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        if let Some(config) = self.config.get() {
            return Ok(config.clone());
        }
        let versions = ClientConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions()?;
        let mut built = versions.with_platform_verifier()?.with_no_client_auth();
        built.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(self.config.get_or_init(|| Arc::new(built)).clone())
    }
}
