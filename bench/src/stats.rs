//! Medians and tails.

use std::time::Duration;

/// A sample of durations.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    values: Vec<Duration>,
}

impl Sample {
    /// Adds one.
    pub(crate) fn add(&mut self, value: Duration) {
        self.values.push(value);
    }

    /// Adds many.
    pub(crate) fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
    }

    /// The value below which a share of the sample lies, in milliseconds.
    pub(crate) fn milliseconds(&mut self, share: f64) -> f64 {
        self.values.sort_unstable();
        let last = self.values.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "samples are small and shares lie in 0..=1"
        )]
        let index = (last as f64 * share).round() as usize;
        self.values.get(index).map_or(0.0, |value| value.as_secs_f64() * 1e3)
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}
