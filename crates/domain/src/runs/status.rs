//! The states of a run and which may follow which.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Gives an enum its stored names: `as_str`, `parse`, `Display`.
macro_rules! named {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in the database and in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// Reads a name; `None` for anything else.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted, and to be queued at a later time.
    Scheduled,
    /// Accepted and ready for a worker.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Parked without worker and lease until something happens.
    Waiting,
    /// A cancel is being carried out.
    Cancelling,
    /// Done, with its output.
    Succeeded,
    /// Stopped by a limit; what was done is kept.
    Incomplete,
    /// Ended by an error.
    Failed,
    /// Ended by a person or a program.
    Cancelled,
    /// Refused by policy before any work.
    Rejected,
}

named!(RunStatus {
    Scheduled = "scheduled",
    Queued = "queued",
    Running = "running",
    Waiting = "waiting",
    Cancelling = "cancelling",
    Succeeded = "succeeded",
    Incomplete = "incomplete",
    Failed = "failed",
    Cancelled = "cancelled",
    Rejected = "rejected",
});

impl RunStatus {
    /// Whether nothing follows.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Incomplete | Self::Failed | Self::Cancelled | Self::Rejected)
    }

    /// Whether a worker holds the run's lease.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Cancelling)
    }

    /// The table of allowed transitions (execution rules, section 2).
    #[must_use]
    pub const fn can_become(self, next: Self) -> bool {
        match self {
            Self::Scheduled => matches!(next, Self::Queued | Self::Cancelled),
            Self::Queued => matches!(next, Self::Running | Self::Cancelled | Self::Rejected | Self::Failed),
            Self::Running => {
                matches!(
                    next,
                    Self::Waiting | Self::Succeeded | Self::Incomplete | Self::Failed | Self::Cancelling | Self::Queued
                )
            }
            Self::Waiting => matches!(next, Self::Queued | Self::Cancelling | Self::Cancelled | Self::Incomplete | Self::Failed),
            // A worker that dies while cancelling leaves the run to the next one.
            Self::Cancelling => matches!(next, Self::Cancelled | Self::Failed),
            Self::Succeeded | Self::Incomplete | Self::Failed | Self::Cancelled | Self::Rejected => false,
        }
    }
}

/// What a waiting run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// A person's decision about a tool call.
    Approval,
    /// A person's answer.
    Input,
    /// Credentials.
    Auth,
    /// A point in time.
    Timer,
    /// Another run.
    Child,
    /// A provider's limit.
    RateLimit,
    /// Money or tokens.
    Budget,
    /// A person must say whether a tool call of unknown outcome happened.
    Reconcile,
    /// Paused by hand.
    Operator,
}

named!(WaitReason {
    Approval = "approval",
    Input = "input",
    Auth = "auth",
    Timer = "timer",
    Child = "child",
    RateLimit = "rate_limit",
    Budget = "budget",
    Reconcile = "reconcile",
    Operator = "operator",
});

/// Which limit ended a run early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncompleteReason {
    /// The token budget.
    Tokens,
    /// The number of model calls.
    Steps,
    /// The money budget.
    Budget,
    /// The time allowed for the whole run.
    Deadline,
}

named!(IncompleteReason { Tokens = "tokens", Steps = "steps", Budget = "budget", Deadline = "deadline" });

/// Used by errors that name two states.
pub(super) struct Arrow(pub(super) RunStatus, pub(super) RunStatus);

impl fmt::Display for Arrow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} -> {}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_terminal_state() {
        for from in RunStatus::ALL.iter().filter(|status| status.is_terminal()) {
            assert!(RunStatus::ALL.iter().all(|to| !from.can_become(*to)), "{from}");
        }
    }

    #[test]
    fn every_state_can_be_reached_and_every_other_left() {
        for to in RunStatus::ALL {
            let reached = RunStatus::ALL.iter().any(|from| from.can_become(*to));
            assert_eq!(reached, *to != RunStatus::Scheduled, "{to}");
            let left = RunStatus::ALL.iter().any(|next| to.can_become(*next));
            assert_eq!(left, !to.is_terminal(), "{to}");
        }
    }

    #[test]
    fn names_round_trip() {
        for status in RunStatus::ALL {
            assert_eq!(RunStatus::parse(status.as_str()), Some(*status));
        }
        assert_eq!(RunStatus::parse("Queued"), None);
        assert_eq!(WaitReason::parse("rate_limit"), Some(WaitReason::RateLimit));
        assert_eq!(IncompleteReason::parse("tokens"), Some(IncompleteReason::Tokens));
    }
}
