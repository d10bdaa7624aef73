//! A point at which a scripted model waits until the test lets it go on.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds scripted calls until it is opened. Clones are the same gate; an open gate stays open.
#[derive(Clone, Debug)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    open: watch::Sender<bool>,
    arrived: watch::Sender<usize>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { open: watch::Sender::new(false), arrived: watch::Sender::new(0) }) }
    }

    /// Lets all calls through, now and later.
    pub fn open(&self) {
        self.inner.open.send_replace(true);
    }

    /// Waits until `count` calls have come to this gate, whether or not it is open.
    pub async fn arrived(&self, count: usize) {
        let mut arrived = self.inner.arrived.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = arrived.wait_for(|seen| *seen >= count).await;
    }

    /// Waits at the gate, as a scripted call does.
    pub async fn pass(&self) {
        self.inner.arrived.send_modify(|seen| *seen += 1);
        let mut open = self.inner.open.subscribe();
        let _ = open.wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
