//! Trying a change again that somebody else was faster with.

use std::time::Duration;

use tokio::time::sleep;

/// Tries of one change at most: together they wait for two seconds, longer than any burst of changes by the scheduler or
/// by a worker.
pub(crate) const MOST: u32 = 12;
/// The wait before the third try; it doubles from there on. The second one follows at once.
const FIRST_WAIT: Duration = Duration::from_millis(2);

/// Counts the tries of a change that is only made to what was read, and lets those who were faster get on.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    made: u32,
}

impl Attempts {
    /// Waits as long as the next try should; `false` when there have been enough.
    pub(crate) async fn next(&mut self) -> bool {
        if self.made == MOST {
            return false;
        }
        if self.made > 1 {
            sleep(FIRST_WAIT * (1 << (self.made - 2))).await;
        }
        self.made += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_longer_each_time_and_ends() {
        let (start, mut attempts, mut waits) = (Instant::now(), Attempts::default(), Vec::new());
        let mut before = start;
        while attempts.next().await {
            waits.push((Instant::now() - before).as_millis());
            before = Instant::now();
        }
        assert_eq!(waits, [0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]);
        assert!(!attempts.next().await);
    }
}
