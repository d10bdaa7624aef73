//! The read side.

mod approvals;
mod crews;
mod events;
mod page;
mod progress;
mod run_queries;
mod task_reads;
mod tasks;

#[cfg(test)]
pub(in crate::persistence) use approvals::page_of_approvals;
#[cfg(test)]
pub(in crate::persistence) use page::page_of_ids;
pub use run_queries::SeaRunQueries;
#[cfg(test)]
pub(in crate::persistence) use tasks::task_views;
