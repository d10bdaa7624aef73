//! Places in the queue, remembered for a moment: clients that poll must not make the database count at each question.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crewd_domain::shared::RunId;
use tokio::time::Instant;

/// How old an answer may be.
const KEPT: Duration = Duration::from_millis(250);
/// Answers that are kept at most.
const MOST: usize = 4_096;

/// What was counted a moment ago.
#[derive(Debug, Default)]
pub(super) struct Positions {
    known: Mutex<HashMap<RunId, (Instant, Option<u64>)>>,
}

impl Positions {
    /// The answer of a moment ago.
    pub(super) fn recent(&self, run: RunId) -> Option<Option<u64>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&run).filter(|(at, _)| at.elapsed() < KEPT).map(|(_, position)| *position)
    }

    /// Remembers an answer.
    pub(super) fn note(&self, run: RunId, position: Option<u64>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(run, (Instant::now(), position));
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_good_for_a_moment() {
        let (positions, run) = (Positions::default(), RunId::new(Uuid::from_u128(1)));
        assert_eq!(positions.recent(run), None);
        positions.note(run, Some(7));
        assert_eq!(positions.recent(run), Some(Some(7)));
        tokio::time::advance(KEPT).await;
        assert_eq!(positions.recent(run), None);
    }
}
