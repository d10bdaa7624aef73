//! Fakes and contract suites.

pub mod llm;
