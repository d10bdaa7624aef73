//! How long an answer may be.

/// Most characters of an answer without its notices. It stays below the length at which every tool's answer is trimmed
/// before a model reads it (20,000 characters): a notice at the end that says how to go on must not be cut off.
pub(super) const MOST_CHARACTERS: usize = 18_000;
