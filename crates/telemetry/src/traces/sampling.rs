//! Which new traces are exported. Traces begun elsewhere follow the decision made there.

/// Decides by trace id, so that every process decides alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampler {
    /// Trace ids whose lower 63 bits are below this are exported.
    bound: u64,
}

const WHOLE: u64 = 1 << 63;

impl Sampler {
    /// `ratio` is the share of traces to export, 0 to 1.
    pub(crate) fn of_ratio(ratio: f64) -> Self {
        let share = ratio.clamp(0.0, 1.0);
        // A float cannot hold 2^63 - 1: the product of the full share is cut to the whole.
        Self { bound: ((share * WHOLE as f64) as u64).min(WHOLE) }
    }

    /// Exports nothing.
    pub(crate) fn never() -> Self {
        Self { bound: 0 }
    }

    pub(crate) fn samples(self, trace_id: u128) -> bool {
        let low = (trace_id & u128::from(WHOLE - 1)) as u64;
        low < self.bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_decides() {
        let ids = || (0..1_000u128).map(|step| step * u128::from(WHOLE / 1_000) + (7 << 100));
        for (ratio, expected) in [(0.0, 0), (0.25, 250), (1.0, 1_000), (7.0, 1_000), (-1.0, 0)] {
            let sampled = ids().filter(|id| Sampler::of_ratio(ratio).samples(*id)).count();
            assert!(sampled.abs_diff(expected) <= 1, "{ratio}: {sampled}");
        }
        assert!(Sampler::of_ratio(1.0).samples(u128::MAX));
        assert!(!Sampler::never().samples(0));
    }
}
