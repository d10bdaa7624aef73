//! The checks a crew must pass before it may run. Pure: they see the definition and the names of the tools.

mod check;
pub mod limits;
mod names;
mod output_file;
mod references;
pub mod rule;
mod texts;

pub use output_file::output_file_problem;

#[cfg(test)]
mod tests;
