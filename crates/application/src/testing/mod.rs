//! Fakes and contract suites.

pub mod clock;
pub mod ids;
pub mod llm;
pub mod memory;
pub mod tool;
