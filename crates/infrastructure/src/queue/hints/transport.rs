//! The way of hints between processes.

use async_trait::async_trait;
use thiserror::Error;

use super::{HintBatch, HintReceiver};

/// Hints cannot be carried now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("hints cannot be carried: {0}")]
pub struct TransportError(pub String);

/// What became of hints that could be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// They are on their way.
    Told,
    /// There is no other process to be told.
    Nobody,
}

/// Carries hints. It connects again by itself; every call fails while there is no connection, or waits for one where
/// it says so. Nothing is kept for later: a hint that cannot be carried is dropped.
#[async_trait]
pub trait HintTransport: Send + Sync {
    /// Tells all other processes. Fails soon while there is no connection.
    ///
    /// # Errors
    /// The hints are lost.
    async fn send(&self, hints: &HintBatch) -> Result<Carried, TransportError>;

    /// Waits for a connection and gives the receiver what other processes tell, until the connection is lost.
    async fn listen(&self, receiver: &HintReceiver) -> TransportError;

    /// Waits until work is queued and this process is chosen for it; how many runs, at most `most`. The others are not
    /// told of these. Waits for a connection. May return 0.
    ///
    /// # Errors
    /// The connection is lost.
    async fn next_work(&self, most: usize) -> Result<usize, TransportError>;

    /// Hands work on to somebody else that this process was chosen for and has no room for.
    ///
    /// # Errors
    /// The hint is lost; the run is not.
    async fn hand_on(&self, runs: usize) -> Result<(), TransportError>;

    /// Whether it is time to compare what is waiting to be told with the queue, and this process is to do it.
    ///
    /// # Errors
    /// The connection is lost.
    async fn is_time_to_compare(&self) -> Result<bool, TransportError>;

    /// Corrects what is waiting to be told: so many runs are queued.
    ///
    /// # Errors
    /// The connection is lost.
    async fn correct(&self, queued: u64) -> Result<(), TransportError>;
}
