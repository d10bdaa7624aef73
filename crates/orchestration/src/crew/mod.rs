//! The sequential process: crew tasks one after the other, each with the outputs it may see.

mod context_text;
mod output;
mod review;
mod sequential;
mod structured;

pub use output::{CrewOutput, CrewTaskOutput};
pub use sequential::run_sequential;

#[cfg(test)]
mod tests;
