//! Tools that the operator declares in `tools.yaml` and `tools/*.yaml` of the configuration folder.
//!
//! | module | holds |
//! |---|---|
//! | `discover` | the files on disk |
//! | `reader` | lists of tools, their names, everything wrong at once |
//! | `tool` | one tool: risk, effect, schema |
//! | `call` | its `http` part: method, addresses, body, time |
//! | `headers` | its headers, and which settings hold secret ones |

mod call;
mod discover;
mod headers;
mod reader;
mod tool;

pub use discover::declared_tools;
pub use reader::{DeclaredTools, ToolSurroundings, read_declared_tools};

#[cfg(test)]
mod tests;
