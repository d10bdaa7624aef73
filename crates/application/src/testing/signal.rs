//! Wake-up calls that a test can count.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::ports::WorkSignal;

/// Wakes one waiter a notification and counts them all.
#[derive(Debug, Default)]
pub struct CountingSignal {
    count: AtomicUsize,
    waiter: Notify,
}

impl CountingSignal {
    /// How many notifications there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl WorkSignal for CountingSignal {
    fn notify(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.waiter.notify_one();
    }

    async fn notified(&self) {
        self.waiter.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_notification_before_the_wait_counts() {
        let signal = CountingSignal::default();
        assert!(signal.notified().now_or_never().is_none());
        signal.notify();
        assert!(signal.notified().now_or_never().is_some());
        assert_eq!(signal.count(), 1);
    }
}
