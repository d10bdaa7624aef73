//! Takes runs from the queue and holds them while they are worked on.

mod active;
mod claim;
mod heartbeat;
mod service;

pub use service::{Worker, WorkerParts, WorkerSettings};

#[cfg(test)]
mod tests;
