//! What a name stands for.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

/// Look-ups at once. Each holds a thread, longer than its caller waits: slow names must not take all of them.
const LOOKUPS_AT_ONCE: usize = 32;

/// Finds the IP addresses of a host's name.
#[async_trait]
pub trait NameResolver: Send + Sync {
    /// The addresses of a name, best first.
    ///
    /// # Errors
    /// The name is unknown, or nobody could be asked.
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the system: its hosts file and its name servers.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)) }
    }
}

#[async_trait]
impl NameResolver for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let permit = self.lookups.clone().acquire_owned().await.map_err(io::Error::other)?;
        let name = name.to_owned();
        let lookup = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
        });
        lookup.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_stand_for_themselves_and_places_are_given_back() {
        let resolver = SystemResolver::default();
        let found = resolver.resolve("127.0.0.1").await.expect("an address stands for itself");
        assert_eq!(found, ["127.0.0.1".parse::<IpAddr>().expect("an address")]);
        assert_eq!(resolver.lookups.available_permits(), LOOKUPS_AT_ONCE);
    }
}
