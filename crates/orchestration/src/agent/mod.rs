//! An agent at work on one crew task: turns of model calls and tool calls until there is an answer.

mod compaction;
mod consent;
mod context_window;
mod deltas;
mod model_step;
mod prompts;
mod react;
mod spoken;
mod tool_plan;
mod tool_step;
mod work;

pub(crate) use consent::{Consent, Question, answer_text, ask};
pub use work::{AgentTask, AgentWork};

#[cfg(test)]
mod tests;
