//! A model server for tests: OpenAI's chat-completions wire format over real sockets, scripted, with faults.
//!
//! Tests that share one server tell their requests apart by a marker, a word that stands in their task's inputs and so
//! in every prompt. A [`Scenario`] holds the replies for one marker and sees only its own requests.

mod fault;
mod record;
mod request;
mod scenario;
mod server;
#[cfg(test)]
mod tests;
mod turn;
mod wire;

pub use fault::Fault;
pub use record::Recorded;
pub use request::{ChatRequest, arguments_for};
pub use scenario::{Reply, Scenario};
pub use server::FakeLlm;
pub use turn::{Call, Gate, Turn};
