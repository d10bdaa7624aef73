//! Submitting, watching, cancelling and recovering tasks.

mod admission;
mod business_key;
mod child;
mod committer;
mod dead_letters;
mod double_texting;
mod feed;
mod fork;
mod once;
mod overrides;
mod pause;
mod places;
mod recovery;
mod remains;
mod retry;
mod service;
mod submit;
mod takeover;
mod task_rules;
mod unheld;
mod wake;

pub use admission::{Admission, AdmissionLimits};
pub use business_key::{DedupConflict, DedupRule};
pub use committer::Committer;
pub use dead_letters::{BulkAnswer, DeadLetterFilter, Redrive};
pub use feed::{EventFeed, FeedStart};
pub use fork::ForkTask;
pub use pause::PauseAnswer;
pub use places::LONGEST_POSITION;
pub use recovery::{MAX_CRASHES, RecoveryParts, RecoveryService, release};
pub use retry::RetryFrom;
pub use service::{CancelAnswer, TaskService, TaskServiceParts};
pub use submit::{IdempotencyKey, Instead, SubmitTask, Submitted};
pub use wake::{WakeParts, WakeService};

#[cfg(test)]
mod tests;
