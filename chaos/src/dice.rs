//! Decisions that look random and can be repeated: everything comes from the seed of the run.

use std::ops::Range;
use std::time::Duration;

/// A stream of numbers (SplitMix64). Streams with different labels have nothing to do with each other, so that one
/// part's decisions do not depend on how many another part has made.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    /// The stream of this seed and label.
    pub(crate) fn new(seed: u64, label: &str) -> Self {
        let mut state = seed ^ 0x9E37_79B9_7F4A_7C15;
        for byte in label.bytes() {
            state = mix(state ^ u64::from(byte));
        }
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// A number from 0 on, below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    /// A number of the range.
    pub(crate) fn within(&mut self, range: Range<usize>) -> usize {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// Milliseconds of the range.
    pub(crate) fn pause(&mut self, range: Range<usize>) -> Duration {
        Duration::from_millis(u64::try_from(self.within(range)).unwrap_or(0))
    }
}

const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn the_same_seed_and_label_decide_the_same() {
        let numbers = |seed, label| {
            let mut dice = Dice::new(seed, label);
            (0..20).map(|_| dice.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7, "kills"), numbers(7, "kills"));
        assert_ne!(numbers(7, "kills"), numbers(8, "kills"));
        assert_ne!(numbers(7, "kills"), numbers(7, "streams"));
    }

    #[test]
    fn ranges_are_kept() {
        let mut dice = Dice::new(1, "ranges");
        for _ in 0..200 {
            assert!((3..9).contains(&dice.within(3..9)));
            assert!(dice.pause(5..6).as_millis() == 5);
        }
        assert!(!dice.percent(0));
        assert!(dice.percent(100));
    }
}
