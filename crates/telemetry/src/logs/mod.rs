//! Log lines: their two forms and the places they go to.
//!
//! Every line carries time, level, target, message, `trace_id` and `span_id`, and the fields of all spans around it
//! (`request_id`, `task.id`, `run.id`, `tenant.id`, …), inner ones first. Writing happens on a thread of its own; when
//! that cannot keep up, lines are dropped and counted rather than holding up the work.

mod background;
mod console;
mod json;
mod line;
mod sink;

#[cfg(test)]
mod tests;

pub(crate) use background::LogThread;
pub(crate) use line::Line;
pub(crate) use sink::{Sink, console_sink, file_sink};
