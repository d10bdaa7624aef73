//! A server outside of the product that writes down every effect it is asked for, so that tests can count what really
//! happened.
//!
//! | path | what it does |
//! |---|---|
//! | `/keyed/…` | one effect a key: a request whose key was seen gets the first answer again and has no effect |
//! | `/done/{key}` | what became of a request: 200 with the body of its answer, 404 if it had no effect |
//! | any other | one effect a request, whatever its key |
//!
//! Requests that only read (GET and HEAD) are written down, too, and are no effects.
//!
//! | module | what is in it |
//! |---|---|
//! | `record` | what is written down |
//! | `answer` | answers by script: statuses, pauses, gates, lost connections |
//! | `server` | the sockets |

mod answer;
mod record;
mod server;

pub use answer::Answer;
pub use record::Entry;
pub use server::{Ledger, Script};

#[cfg(test)]
mod tests;
