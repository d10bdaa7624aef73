//! Submitting, watching, cancelling and recovering tasks.

mod child;
mod committer;
mod dead_letters;
mod feed;
mod fork;
mod once;
mod overrides;
mod pause;
mod recovery;
mod remains;
mod retry;
mod service;
mod submit;
mod takeover;
mod unheld;
mod wake;

pub use committer::Committer;
pub use dead_letters::{BulkAnswer, DeadLetterFilter, Redrive};
pub use feed::{EventFeed, FeedStart};
pub use fork::ForkTask;
pub use pause::PauseAnswer;
pub use recovery::{MAX_CRASHES, RecoveryParts, RecoveryService, release};
pub use retry::RetryFrom;
pub use service::{CancelAnswer, TaskService, TaskServiceParts};
pub use submit::{IdempotencyKey, SubmitTask, Submitted};
pub use wake::{WakeParts, WakeService};

#[cfg(test)]
mod tests;
