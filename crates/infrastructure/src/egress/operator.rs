//! Addresses out of the settings.

use url::Url;

/// An address that the operator wrote into the settings. It is called as it is, also on loopback and in private
/// networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorUrl(Url);

impl OperatorUrl {
    /// Takes an address out of the settings. Nothing that comes from a request, a definition or a row belongs here.
    #[must_use]
    pub const fn from_settings(url: Url) -> Self {
        Self(url)
    }

    /// The address itself.
    pub(crate) fn into_url(self) -> Url {
        self.0
    }
}
