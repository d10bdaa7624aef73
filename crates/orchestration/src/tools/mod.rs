//! What surrounds a tool call: arguments are checked before, results are trimmed after.

mod schemas;
mod trim;

pub use schemas::ToolSchemas;
pub use trim::trim;

#[cfg(test)]
mod tests;
