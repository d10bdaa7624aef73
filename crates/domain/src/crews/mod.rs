//! Crews: what they are, what they need, and what can be wrong with them.
//!
//! A [`CrewDefinition`] is plain data. It reads from and writes to JSON, has one canonical text (the base of
//! its version), lists the inputs its texts ask for, renders them, and checks itself. Where a definition came
//! from (YAML files, an HTTP body, a struct in a test) is no concern of this module.
//!
//! | module | holds |
//! |---|---|
//! | `definition` | the crew, its agents and its tasks, with CrewAI's defaults |
//! | `canonical` | one text per definition, whatever the order of its keys |
//! | `placeholders`, `python_text`, `inputs` | `{names}` in texts, how values are written, rendering in one pass |
//! | `rules` | the checks, addressed by element (`tasks.write.context[0]`) |
//! | `diagnostics` | problems as people and programs read them |
//! | `roles`, `suggestions` | comparing roles, "did you mean" |

mod canonical;
mod definition;
mod diagnostics;
mod inputs;
mod placeholders;
mod python_text;
mod roles;
mod rules;
mod suggestions;

pub use definition::{AgentDefinition, ContextRule, CrewDefinition, CrewTaskDefinition, LlmSettings, Process};
pub use diagnostics::{Diagnostic, Problem, Severity, ValidationReport};
pub use inputs::{InputError, InputProblem};
pub use placeholders::{placeholder_names, replace_placeholders};
pub use python_text::python_text;
pub use roles::{normalise_role, same_role};
pub use rules::{limits, output_file_problem, rule};
pub use suggestions::{closest, excerpt};
