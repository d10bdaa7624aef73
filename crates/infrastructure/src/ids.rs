//! Random ids.

use crewd_application::ports::IdGenerator;
use uuid::Uuid;

/// Ids of version 7. Within a process a later one always sorts after an earlier one, also within a millisecond and
/// when the clock is set back: the generator of the `uuid` crate counts on inside such a moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct UuidIds;

impl IdGenerator for UuidIds {
    #[expect(clippy::disallowed_methods, reason = "this is the adapter that draws ids")]
    fn next_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn ids_rise_within_a_process() {
        let drawn: Vec<Uuid> = (0..10_000).map(|_| UuidIds.next_id()).collect();
        assert!(drawn.is_sorted_by(|earlier, later| earlier < later));
        assert!(drawn.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn threads_never_draw_the_same_id() {
        let draw = || (0..5_000).map(|_| UuidIds.next_id()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(draw)).collect();
        let mut all: Vec<Uuid> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 20_000);
    }
}
