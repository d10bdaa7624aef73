//! A scripted model for the tests of callers, and the contract suite for the adapters of [`LanguageModel`].
//!
//! [`LanguageModel`]: crate::ports::LanguageModel

mod gate;
mod scripted;
mod suite;
#[cfg(test)]
mod tests;
mod turn;

pub use gate::Gate;
pub use scripted::ScriptedModel;
pub use suite::{collect, run_suite, simple_request, weather_tool};
pub use turn::ScriptedTurn;
