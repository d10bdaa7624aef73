//! A database that forgets: the fake behind unit tests of use cases and of the engine.

mod commit;
mod hooks;
mod queries;
mod queue;
mod schedules;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod webhooks;

pub use store::InMemoryStore;
