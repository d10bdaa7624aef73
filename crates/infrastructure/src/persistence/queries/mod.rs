//! The read side.

mod crews;
mod events;
mod page;
mod progress;
mod run_queries;
mod tasks;

#[cfg(test)]
pub(in crate::persistence) use page::page_of_ids;
pub use run_queries::SeaRunQueries;
