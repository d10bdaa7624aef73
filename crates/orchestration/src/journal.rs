//! The journal of one run: what was done, in order, before anything else happens.
//!
//! Intent, act, result: an intent is committed before its act begins, a result together with the next intent or, where
//! nothing follows at once, by itself. Between a result and the next intent nothing happens outside, so joining
//! the two commits loses nothing and halves their number.

mod commits;
mod digest;
mod recorded;
mod writer;

pub use recorded::{Recorded, RecordedSteps};
pub use writer::{RunJournal, RunJournalParts, StepIntent, StepResult};

#[cfg(test)]
mod tests;
