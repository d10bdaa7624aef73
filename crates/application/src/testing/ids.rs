//! Ids that a test can foresee.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use crate::ports::IdGenerator;

/// Counts up from 1. Its ids have the form of version 7 and end in the count, so that `…0003` in a failed assertion
/// is the third one.
#[derive(Debug, Default)]
pub struct SequenceIds {
    drawn: AtomicU64,
}

impl SequenceIds {
    /// The id with a place in the sequence, from 1, whether it has been drawn yet or not.
    #[must_use]
    pub const fn id(place: u64) -> Uuid {
        Uuid::from_u64_pair(0x019b_7600_0000_7000, 0x8000_0000_0000_0000 | (place & 0x3fff_ffff_ffff_ffff))
    }
}

impl IdGenerator for SequenceIds {
    fn next_id(&self) -> Uuid {
        Self::id(self.drawn.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_look_like_version_7() {
        let ids = SequenceIds::default();
        let (first, second) = (ids.next_id(), ids.next_id());
        assert!(first < second);
        assert_eq!(second, SequenceIds::id(2));
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(first.get_variant(), uuid::Variant::RFC4122);
        assert!(first.to_string().ends_with("0001"), "{first}");
    }
}
