//! Wake-up calls inside a process.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use crewd_application::ports::WorkSignal;
use tokio::sync::Notify;

/// Wakes everybody who waits. If nobody does, the notification is kept for whoever waits next; several notifications
/// are kept as one.
#[derive(Debug, Default)]
pub struct LocalSignal {
    waiting: Notify,
    is_pending: AtomicBool,
}

#[async_trait]
impl WorkSignal for LocalSignal {
    fn notify(&self) {
        self.is_pending.store(true, Ordering::SeqCst);
        self.waiting.notify_waiters();
    }

    async fn notified(&self) {
        // From its creation on, this future hears `notify_waiters`: nothing is lost between the look at the flag and
        // the wait.
        let woken = self.waiting.notified();
        if !self.is_pending.swap(false, Ordering::SeqCst) {
            woken.await;
            // A notification that came in between is covered: what it speaks of was written before it, and the caller
            // looks only now.
            self.is_pending.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_notification_before_the_wait_counts_once() {
        let signal = LocalSignal::default();
        signal.notify();
        signal.notify();
        signal.notified().await;
        assert!(signal.notified().now_or_never().is_none(), "both were kept as one");
    }

    #[tokio::test]
    async fn everybody_who_waits_is_woken() {
        let signal = LocalSignal::default();
        let mut waiters = [signal.notified(), signal.notified(), signal.notified()];
        for waiter in &mut waiters {
            assert!(waiter.now_or_never().is_none());
        }
        signal.notify();
        futures::future::join_all(waiters).await;
        assert!(signal.notified().now_or_never().is_none(), "no echo");
    }

    #[tokio::test]
    async fn a_dropped_wait_keeps_nothing_for_itself() {
        let signal = LocalSignal::default();
        assert!(signal.notified().now_or_never().is_none());
        signal.notify();
        signal.notified().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_item_is_left_lying() {
        const ITEMS: usize = 20_000;
        let signal = Arc::new(LocalSignal::default());
        let (queue, mut items) = tokio::sync::mpsc::unbounded_channel();
        let producer = Arc::clone(&signal);
        let sending = tokio::spawn(async move {
            for item in 0..ITEMS {
                queue.send(item).unwrap();
                producer.notify();
                if item % 7 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        let mut seen = 0;
        while seen < ITEMS {
            signal.notified().await;
            while items.try_recv().is_ok() {
                seen += 1;
            }
        }
        sending.await.unwrap();
    }
}
