//! Places that all processes share, such as calls of a model at once.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;

/// Places cannot be counted now; the caller goes on with the limits of its own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("shared places cannot be counted now")]
pub struct PlacesUnavailable;

/// A place among those of a name. It is free again when this is dropped, or some time after its process died.
pub struct SharedPlace(Option<Box<dyn FnOnce() + Send + Sync>>);

impl SharedPlace {
    /// A place that is freed by `free`, which must not block.
    #[must_use]
    pub fn new(free: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(free)))
    }
}

impl Drop for SharedPlace {
    fn drop(&mut self) {
        if let Some(free) = self.0.take() {
            free();
        }
    }
}

impl fmt::Debug for SharedPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedPlace")
    }
}

/// Counts places over all processes.
#[async_trait]
pub trait SharedPlaces: Send + Sync {
    /// Takes one of `places` places of this name; `None` while all are taken. Does not wait for one. The place is
    /// renewed as long as its process lives; after a death it is free again within `ttl`.
    ///
    /// # Errors
    /// Where nobody can count, soon.
    async fn acquire(&self, name: &str, places: u32, ttl: Duration) -> Result<Option<SharedPlace>, PlacesUnavailable>;
}
