//! The agent loop over the fakes of all ports.

mod limits;
mod streaming;
mod text_mode;
mod tools;
mod turns;
mod window;
