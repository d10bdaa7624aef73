//! What every database must keep to: the contract suite of [`ScheduleStore`](crate::ports::ScheduleStore), and of the
//! fires that [`Store`](crate::ports::Store) writes.

mod fires;
mod harness;
mod rows;
mod suite;

pub use harness::ScheduleHarness;
pub use suite::run_suite;
