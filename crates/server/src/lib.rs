//! The server: settings, wiring and commands.
//!
//! Rule of this crate: no business logic. It reads the settings, builds one ring after the other, and hands out work.
//!
//! | module | what is in it |
//! |---|---|
//! | `args` | the command line |
//! | `commands` | one file a command |
//! | `bootstrap` | one function a ring: storage, models, engine, services, surface |
//! | `background` | loops that call a service's tick |
//! | `duties` | loops of one process at a time |
//! | `listener` | the accept loop: header time-outs, limits, graceful end |
//! | `readiness` | what `/health/ready` asks besides the database |
//! | `refusal` | the error body of requests that are no HTTP |
//! | `banner` | what a start prints |
//! | `shutdown` | signals |

mod args;
mod background;
mod banner;
mod bootstrap;
mod commands;
mod duties;
mod entry;
mod listener;
mod readiness;
mod refusal;
mod shutdown;

pub use entry::main;
