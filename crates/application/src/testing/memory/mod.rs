//! A database that forgets: the fake behind unit tests of use cases and of the engine.

mod commit;
mod queries;
mod queue;
mod state;
mod store;
#[cfg(test)]
mod tests;

pub use store::InMemoryStore;
