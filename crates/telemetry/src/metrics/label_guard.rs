//! Bounds the number of different values a label may take.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// Stands for every value beyond the limit.
pub(crate) const OTHER: &str = "other";

/// Stands for an empty value.
const UNKNOWN: &str = "unknown";

/// Values longer than this are no names.
const LONGEST_BYTES: usize = 128;

/// Lets the first values through and names all later ones [`OTHER`].
#[derive(Debug)]
pub(crate) struct LabelGuard {
    known: RwLock<HashSet<Box<str>>>,
    limit: usize,
}

impl LabelGuard {
    pub(crate) fn new(limit: usize) -> Self {
        Self { known: RwLock::new(HashSet::new()), limit }
    }

    pub(crate) fn admit<'a>(&self, value: &'a str) -> &'a str {
        if value.is_empty() {
            return UNKNOWN;
        }
        if value.len() > LONGEST_BYTES {
            return OTHER;
        }
        // A panic elsewhere cannot leave a set of names half changed.
        if self.known.read().unwrap_or_else(PoisonError::into_inner).contains(value) {
            return value;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.contains(value) || known.len() < self.limit {
            known.insert(value.into());
            return value;
        }
        OTHER
    }
}
