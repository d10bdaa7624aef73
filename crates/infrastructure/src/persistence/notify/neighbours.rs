//! Whether there are other processes. One that is alone need not tell anybody anything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// A message about a process itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has just begun to listen, and wants to know who else is there.
    Arrived(Uuid),
    /// It is there.
    Here(Uuid),
}

const ARRIVED: &str = "arrived ";
const HERE: &str = "here ";

impl Presence {
    pub(super) fn to_text(self) -> String {
        match self {
            Self::Arrived(origin) => format!("{ARRIVED}{origin}"),
            Self::Here(origin) => format!("{HERE}{origin}"),
        }
    }

    /// `None` for a message about something else.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let origin = |text: &str| Uuid::try_parse(text).ok();
        match text.strip_prefix(ARRIVED) {
            Some(rest) => origin(rest).map(Self::Arrived),
            None => text.strip_prefix(HERE).and_then(origin).map(Self::Here),
        }
    }
}

/// When others were last heard.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    heard: Mutex<Option<Instant>>,
}

impl Neighbours {
    /// Another process has just said something.
    pub(super) fn note(&self) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).replace(Instant::now());
    }

    /// Whether another process was heard within this time.
    pub(super) fn are_there(&self, within: Duration) -> bool {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|heard| heard.elapsed() < within)
    }
}

#[cfg(test)]
mod tests {
    use crewd_application::testing::ids::SequenceIds;

    use super::*;

    #[test]
    fn presence_reads_back_and_noise_is_none() {
        let origin = SequenceIds::id(7);
        for presence in [Presence::Arrived(origin), Presence::Here(origin)] {
            assert_eq!(Presence::of_text(&presence.to_text()), Some(presence));
        }
        for noise in ["", "here", "here x", "arrived ", "{\"o\":1}"] {
            assert_eq!(Presence::of_text(noise), None, "{noise}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_not_heard_for_long_is_gone() {
        let neighbours = Neighbours::default();
        let within = Duration::from_secs(15);
        assert!(!neighbours.are_there(within));
        neighbours.note();
        tokio::time::advance(Duration::from_secs(14)).await;
        assert!(neighbours.are_there(within));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!neighbours.are_there(within));
    }
}
