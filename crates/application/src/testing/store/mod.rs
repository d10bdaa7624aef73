//! What every database must keep to: the contract suite of [`Store`](crate::ports::Store),
//! [`RunQueries`](crate::ports::RunQueries), [`ApprovalQueries`](crate::ports::ApprovalQueries),
//! [`RunQueue`](crate::ports::RunQueue), [`LeaseRenewal`](crate::ports::LeaseRenewal) and
//! [`EventTail`](crate::ports::EventTail).
//!
//! They are tested together, because what one writes the others read. Every check opens an empty database.

mod commits;
mod concurrency;
mod definitions;
mod due;
mod fencing;
mod further_runs;
mod harness;
mod leases;
mod listing;
mod questions;
mod queueing;
mod reading;
mod sample;
mod suite;
mod turns;

pub use harness::Harness;
pub(in crate::testing) use harness::{must, settle};
pub use sample::{Sample, Submitted};
pub(in crate::testing) use sample::{at, event, stranger};
pub use suite::{run_limited_suite, run_suite};
