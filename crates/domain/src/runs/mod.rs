//! Tasks, their runs, and what happens inside a run.
//!
//! [`Run`] is a state machine: each method that changes it takes `now`, refuses what is not allowed and
//! returns the event that belongs to the change.

mod dead_letter;
mod event;
mod failure;
mod overrides;
mod run;
mod status;
mod step;
mod task;

pub use dead_letter::DeadLetter;
pub use event::{Event, EventDraft, EventKind};
pub use failure::{Failure, FailureClass};
pub use run::{CancelMode, CancelRequest, InvalidTransition, Lease, Pause, Run, RunOutcome, Superseded};
pub(crate) use status::named;
pub use status::{IncompleteReason, RunStatus, WaitReason};
pub use step::{Step, StepKind, StepPath, StepStatus};
pub use task::{Budget, Concurrency, ConcurrencyMode, ForkEffects, ForkOverrides, Origin, Priority, Task, TaskOptions};
