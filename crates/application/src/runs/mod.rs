//! Submitting, watching, cancelling and recovering tasks.

mod committer;
mod feed;
mod recovery;
mod remains;
mod service;
mod submit;

pub use committer::Committer;
pub use feed::{EventFeed, FeedStart};
pub use recovery::{MAX_CRASHES, RecoveryParts, RecoveryService, release};
pub use service::{CancelAnswer, TaskService, TaskServiceParts};
pub use submit::{IdempotencyKey, SubmitTask, Submitted};

#[cfg(test)]
mod tests;
