//! The product as a child process.

mod builder;
mod command_line;
mod home;
mod output;
mod process;

pub use builder::AppBuilder;
pub use command_line::{CommandOutput, command_line};
pub use home::Home;
pub use output::Output;
pub use process::{App, Exit, SharedApp};
