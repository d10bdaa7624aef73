//! Failed runs that wait for a person.

use serde::{Deserialize, Serialize};

use super::status::named;

/// Where a failed run stands among the dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetter {
    /// Somebody has to look at it.
    Open,
    /// It was tried again by another run.
    Redriven,
    /// Somebody has decided that it need not be tried again.
    Discarded,
}

named!(DeadLetter { Open = "open", Redriven = "redriven", Discarded = "discarded" });
